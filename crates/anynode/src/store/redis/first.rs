//! Several who know the same: the next one is asked as soon as one fails or is silent for long,
//! and the first good answer counts.

use std::{future::Future, time::Duration};

use tokio::{task::JoinSet, time::timeout};

use super::fault::Fault;

/// How long one may be silent before the next is asked as well: one that is slow is not one that
/// is gone, so that its answer still counts.
const PATIENCE: Duration = Duration::from_millis(250);

/// The first good answer. Each question has to end by itself.
///
/// # Errors
/// The fault that was met last, where no answer is good.
pub(super) async fn first<T, F>(questions: impl IntoIterator<Item = F>) -> Result<T, Fault>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let mut questions = questions.into_iter().fuse();
    let mut asked = JoinSet::new();
    let mut last = Fault::Late { sent: false };
    loop {
        let answer = match questions.next() {
            Some(question) => {
                asked.spawn(question);
                let Ok(answer) = timeout(PATIENCE, asked.join_next()).await else {
                    continue;
                };
                answer
            }
            None => asked.join_next().await,
        };
        match answer {
            Some(Ok(Ok(answer))) => return Ok(answer),
            Some(Ok(Err(fault))) => last = fault,
            // It ended with this runtime.
            Some(Err(_)) => {}
            None => return Err(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::Pin};

    use super::*;

    type Question = Pin<Box<dyn Future<Output = Result<u8, Fault>> + Send>>;

    fn answers(number: u8) -> Question {
        Box::pin(async move { Ok(number) })
    }

    fn fails() -> Question {
        Box::pin(async { Err(Fault::Lost) })
    }

    fn is_silent() -> Question {
        Box::pin(pending())
    }

    #[tokio::test]
    async fn one_that_fails_or_is_silent_does_not_keep_others_from_answering() {
        for before in [fails as fn() -> Question, is_silent] {
            let answer = first([before(), before(), answers(3), answers(4)]).await;
            assert_eq!(answer.ok(), Some(3));
        }
    }

    #[tokio::test]
    async fn a_slow_answer_counts_where_no_other_is_good() {
        let slow: Question = Box::pin(async {
            tokio::time::sleep(PATIENCE * 2).await;
            Ok(1)
        });
        assert_eq!(first([slow, fails()]).await.ok(), Some(1));
    }

    #[tokio::test]
    async fn where_nobody_answers_the_last_fault_is_told() {
        let answer = first([fails(), fails()]).await;
        assert!(matches!(answer, Err(Fault::Lost)), "{answer:?}");
        let nobody: [Question; 0] = [];
        let answer = first(nobody).await;
        assert!(matches!(answer, Err(Fault::Late { sent: false })));
    }
}
