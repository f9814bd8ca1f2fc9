//! What is small on the wire and huge once it is unpacked. Nothing here unpacks anything, whatever a request says of its body: each
//! is refused for how it came, and as a file of a policy it would be small enough.

use std::io::{ErrorKind, Seek as _, Write as _};
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use super::plugins::{JSON, NEW, Site, WASM, ask, blockers, upload};
use super::support::in_virtual_time;

/// How a stream of DEFLATE begins (RFC 1951): it has one block, whose codes for "258 bytes as before" and "one byte back" have one bit
/// each, which is 0. After them comes one byte 0, and then its first repetitions.
const BEGINS: [u8; 14] = [0xed, 0xc0, 0x81, 0, 0, 0, 0, 0x80, 0xa0, 0xfd, 0xa9, 0x17, 0xa9, 0];
/// How it ends: the rest of the last repetition, and the code for the end of the block, which is 11.
const ENDS: u8 = 0b110;

/// Bytes of repetitions in a file: four repetitions in each.
const REPEATED: usize = 256 << 10;
/// What they come to, with the byte that is repeated and the repetitions before and after them: 258 MiB.
const UNPACKED: u32 = 1 + 258 * (4 * (256 << 10) + 4);
/// The CRC-32 of so many zeros.
const CHECKSUM: u32 = 0x5680_7f92;

/// That many bytes and a few more, which come to 1,032 times as many.
fn deflated(repeated: usize) -> Vec<u8> {
    [&BEGINS[..], &vec![0; repeated][..], &[ENDS][..]].concat()
}

/// A file of gzip (RFC 1952).
fn gzip() -> Vec<u8> {
    let (checksum, size) = (CHECKSUM.to_le_bytes(), UNPACKED.to_le_bytes());
    [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], &deflated(REPEATED)[..], &checksum[..], &size[..]].concat()
}

/// An archive of one file, `policy.wasm`.
fn zip() -> Vec<u8> {
    let length = |of: &[u8]| u32::try_from(of.len()).expect("it is small").to_le_bytes();
    let packed = deflated(REPEATED);
    let entry = [
        // The version that it takes to unpack it, no flags, DEFLATE, midnight of the first of January 1980.
        &[20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0][..],
        &CHECKSUM.to_le_bytes()[..],
        &length(&packed)[..],
        &UNPACKED.to_le_bytes()[..],
        // The length of the name, and nothing beside it.
        &[11, 0, 0, 0][..],
    ]
    .concat();
    let name = &b"policy.wasm"[..];
    let file = [&b"PK\x03\x04"[..], &entry[..], name, &packed[..]].concat();
    // The same again, made by version 2.0, with no comment, on the first disk, at the very beginning.
    let listed = [&b"PK\x01\x02\x14\0"[..], &entry[..], &[0; 14][..], name].concat();
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &length(&listed)[..], &length(&file)[..], &[0, 0][..]].concat();
    [file, listed, end].concat()
}

#[test]
fn the_bombs_come_to_what_they_say() {
    for (kind, file) in [("zip", zip()), ("gzip", gzip())] {
        assert!(file.len() < 300 << 10, "{kind} is small on the wire: {} bytes", file.len());
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(&file).unwrap();
        input.rewind().unwrap();
        // It knows an archive of one file, too, and holds both to their checksum and size.
        let mut unpacking = Command::new("gzip");
        unpacking.args(["--decompress", "--stdout"]).stdin(input).stdout(Stdio::piped());
        let mut unpacking = match unpacking.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Past the test's own output, which nobody sees of one that passes.
                writeln!(std::io::stderr(), "not proven here: that the bombs come to what they say (no gzip)").unwrap();
                return;
            }
            Err(error) => panic!("gzip does not start: {error}"),
        };
        let mut output = unpacking.stdout.take().unwrap();
        let unpacked = std::io::copy(&mut output, &mut std::io::sink()).unwrap();
        assert!(unpacking.wait().unwrap().success(), "{kind}");
        assert_eq!(unpacked, u64::from(UNPACKED), "{kind}");
    }
}

#[test]
fn a_bomb_is_refused_as_it_came_and_never_unpacked() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        for (kind, bomb) in [("zip", zip()), ("gzip", gzip())] {
            let answer = upload(&anna, "mine", NEW, bomb.clone()).await;
            let detail = answer.problem(422, "archive")["detail"].to_string();
            assert!(detail.contains(&format!("({kind})")), "{detail}");
            let headers = [NEW, ("content-type", "application/zip")];
            ask(&anna, Method::PUT, "/mine", &headers, bomb).await.problem(415, "not-wasm");
        }
        for (encoding, bomb) in [("gzip", gzip()), ("deflate", deflated(REPEATED))] {
            let (packed, any) = (("content-encoding", encoding), ("if-match", "*"));
            let headers = [NEW, WASM, packed];
            ask(&anna, Method::PUT, "/mine", &headers, bomb.clone()).await.problem(415, "encoded-body");
            let (path, headers) = ("/convergence-adaptive/settings", [JSON, any, packed]);
            ask(&anna, Method::PUT, path, &headers, bomb.clone()).await.problem(415, "encoded-body");
            // What changes nothing does not look at how its body is packed: it is no JSON, and here too long for any.
            for (path, body, status, code) in [
                ("tasks", bomb.clone(), 415, "encoded-body"),
                ("checks", bomb.clone(), 413, "too-large"),
                ("checks", deflated(32 << 10), 400, "bad-request"),
            ] {
                let request =
                    Request::post(format!("/api/v1/{path}")).header(JSON.0, JSON.1).header(packed.0, packed.1);
                anna.send(request.body(Body::from(body)).unwrap()).await.problem(status, code);
            }
        }
        // Nothing of all this is there, nothing was judged by it, and nobody was moved.
        assert_eq!((site.files().len(), blockers(&anna).await.len()), (0, 0));
        assert_eq!(anna.get("/tasks").await.expect(200)["tasks"], json!([]));
    });
}
