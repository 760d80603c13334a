//! A copy of a request that may have to be sent twice.
//!
//! Nearly all copies are dropped unread, so its fields are bytes in one piece: a second map of them would
//! cost an allocation and a reference count for each.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Uri};

use crate::body::RequestBody;

/// What the fields of a browser's request come to; those of a longer one are moved once or twice.
const USUAL_BYTES: usize = 1024;

/// A request without a body.
#[derive(Debug)]
pub(crate) struct Spare {
    method: Method,
    uri: Uri,
    fields: Vec<u8>,
    /// Where the name and then the value of each field ends.
    ends: Vec<(usize, usize)>,
}

// === impl Spare ===

impl Spare {
    /// Copies the request, `None` if it has a body, which can be read only once.
    pub(crate) fn of(request: &Request<RequestBody>) -> Option<Self> {
        if !matches!(request.body(), RequestBody::Empty) {
            return None;
        }
        let headers = request.headers();
        let mut fields = Vec::with_capacity(USUAL_BYTES);
        let mut ends = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            fields.extend_from_slice(name.as_str().as_bytes());
            let name_end = fields.len();
            fields.extend_from_slice(value.as_bytes());
            ends.push((name_end, fields.len()));
        }
        Some(Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            fields,
            ends,
        })
    }

    pub(crate) fn into_request(self) -> Request<RequestBody> {
        let mut headers = HeaderMap::with_capacity(self.ends.len());
        let mut start = 0;
        for (name_end, end) in self.ends {
            let name = HeaderName::from_bytes(&self.fields[start..name_end]);
            let value = HeaderValue::from_bytes(&self.fields[name_end..end]);
            headers.append(name.expect(VALID), value.expect(VALID));
            start = end;
        }
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = headers;
        request
    }
}

const VALID: &str = "it was copied from a field";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_request_is_the_same_as_the_one_it_was_made_of() {
        let request = Request::options("/a?b=c")
            .header("host", "shop.example")
            .header("x-twice", "1")
            .header("x-empty", "")
            .header("x-twice", HeaderValue::from_bytes(b"\xff 2").unwrap())
            .body(RequestBody::Empty)
            .unwrap();
        let spare = Spare::of(&request).unwrap().into_request();
        assert_eq!(spare.method(), request.method());
        assert_eq!(spare.uri(), request.uri());
        assert_eq!(spare.headers(), request.headers());
        assert!(matches!(spare.body(), RequestBody::Empty));
    }
}
