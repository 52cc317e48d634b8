//! How a feed record lies on disk: headers and payload in one frame, sealed whole and bound to its place.

use zeroize::Zeroizing;

use crate::log::{AtRest, Header};

/// Seals a record for the place and time that `context` binds it to.
pub(super) fn seal(at_rest: &dyn AtRest, context: &[u8], headers: &[Header], payload: &[u8]) -> Vec<u8> {
    at_rest.seal(context, &encode(headers, payload))
}

/// Opens what [`seal`] made; `None` when it was changed, moved, or sealed under another key.
pub(super) fn open(at_rest: &dyn AtRest, context: &[u8], sealed: &[u8]) -> Option<(Vec<Header>, Zeroizing<Vec<u8>>)> {
    decode(&at_rest.open(context, sealed)?)
}

/// Where and when a record was appended: it opens as that one only.
pub(super) fn context(name: &str, offset: i64, appended_ms: i64) -> Vec<u8> {
    let mut context = b"priorityd/v1/feed-record".to_vec();
    put(&mut context, name.as_bytes());
    context.extend_from_slice(&offset.to_be_bytes());
    context.extend_from_slice(&appended_ms.to_be_bytes());
    context
}

fn encode(headers: &[Header], payload: &[u8]) -> Zeroizing<Vec<u8>> {
    // Reserved at once: a vector that grows leaves copies of clear text behind.
    let size = headers.iter().map(|(name, value)| 8 + name.len() + value.len()).sum::<usize>() + 4 + payload.len();
    let mut frame = Zeroizing::new(Vec::with_capacity(size));
    frame.extend_from_slice(&length(headers.len()));
    for (name, value) in headers {
        put(&mut frame, name.as_bytes());
        put(&mut frame, value);
    }
    frame.extend_from_slice(payload);
    frame
}

fn decode(frame: &[u8]) -> Option<(Vec<Header>, Zeroizing<Vec<u8>>)> {
    let (count, mut rest) = frame.split_first_chunk::<4>()?;
    let mut headers = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let name = String::from_utf8(take(&mut rest)?.to_vec()).ok()?;
        headers.push((name, take(&mut rest)?.to_vec()));
    }
    Some((headers, Zeroizing::new(rest.to_vec())))
}

fn put(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&length(part.len()));
    out.extend_from_slice(part);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, after) = rest.split_first_chunk::<4>()?;
    let (part, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*size)).ok()?)?;
    *rest = after;
    Some(part)
}

fn length(size: usize) -> [u8; 4] {
    u32::try_from(size).expect("records are refused far below 4 GiB").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_and_cut_ones_do_not() {
        let headers = vec![("ce_id".to_owned(), b"1".to_vec()), (String::new(), Vec::new())];
        let frame = encode(&headers, b"payload");
        let (read, payload) = decode(&frame).expect("a whole frame");
        assert!(read == headers && payload.as_slice() == b"payload");
        let headers_end = frame.len() - b"payload".len();
        assert!((0..headers_end).all(|cut| decode(&frame[..cut]).is_none()));
    }
}
