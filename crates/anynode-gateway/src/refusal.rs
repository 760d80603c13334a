//! The gateway's own answers, where no backend's can be passed.

use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::body::AnswerBody;

/// Why a request is answered by the gateway itself.
///
/// The texts name no backend and no address: clients learn nothing of what is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No host, more than one, or one that is no authority.
    BadHost,
    /// A target that is neither a path nor a URL.
    BadTarget,
    /// A target longer than the limit.
    TargetTooLong,
    /// A method that would make the gateway a tunnel or a mirror.
    Method,
    /// A transfer coding besides `chunked`, which the gateway could only pass on undecoded and unnamed.
    TransferCoding,
    /// A body that is not what its head or its chunks say.
    BadBody,
    /// The request's body stopped coming.
    ClientTimedOut,
    /// No backend could be reached; nothing was sent.
    NoBackend,
    /// The client's own backend is not there, and its route is strict.
    Waiting,
    /// Every backend that could have it has enough.
    Full,
    /// The request was sent and may have been run, but there is no answer to pass.
    NoAnswer,
    /// The request was sent and may still be running.
    BackendTimedOut,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let (status, text) = match self {
            Self::BadHost => (StatusCode::BAD_REQUEST, "the request names no valid host\n"),
            Self::BadTarget => (
                StatusCode::BAD_REQUEST,
                "the request's target is neither a path nor a URL\n",
            ),
            Self::TargetTooLong => (
                StatusCode::URI_TOO_LONG,
                "the request's target is too long\n",
            ),
            Self::Method => (StatusCode::NOT_IMPLEMENTED, "this method is not served\n"),
            Self::TransferCoding => (
                StatusCode::NOT_IMPLEMENTED,
                "no transfer coding but chunked is understood\n",
            ),
            Self::BadBody => (
                StatusCode::BAD_REQUEST,
                "the request's body cannot be read\n",
            ),
            Self::ClientTimedOut => (StatusCode::REQUEST_TIMEOUT, "the request did not arrive\n"),
            Self::NoBackend => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no server is available, try again in a moment\n",
            ),
            Self::Waiting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "your server is not available, try again in a moment\n",
            ),
            Self::Full => (
                StatusCode::SERVICE_UNAVAILABLE,
                "every server has enough to do, try again in a moment\n",
            ),
            Self::NoAnswer => (
                StatusCode::BAD_GATEWAY,
                "the server did not answer, the request may have been carried out\n",
            ),
            Self::BackendTimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "the server did not answer in time, the request may have been carried out\n",
            ),
        };
        let mut response = Response::new(AnswerBody::text(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        match self {
            Self::NoBackend | Self::Waiting | Self::Full => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::NoAnswer => {}
            // What is in doubt about this request is in doubt about what comes after it.
            _ => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response
    }
}
