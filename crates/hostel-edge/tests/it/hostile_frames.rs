//! Frames that lie about their size, inflate without end, or never end.

use flate2::{Compress, Compression, FlushCompress};
use hostel_edge::Limits;
use tokio::io::AsyncWriteExt;

use super::support::{PATIENCE, Server, alone, frame, read_close, read_frame, read_to_end, reset_peak, resident};

const MIB: usize = 1 << 20;
const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

#[tokio::test]
async fn threat_10_a_frame_that_claims_2_to_the_62_bytes_is_closed_1009_without_memory() {
    if !alone(module_path!(), "threat_10_a_frame_that_claims_2_to_the_62_bytes_is_closed_1009_without_memory") {
        return;
    }
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket("").await;
    let (before, _) = resident();
    let mut lie = vec![0x82, 0x80 | 127];
    lie.extend((1_u64 << 62).to_be_bytes());
    lie.extend([0; 4]);
    socket.write_all(&lie).await.unwrap();
    let (code, reason) = read_close(&mut socket).await;
    assert_eq!(code, 1009);
    assert!(reason.contains("1048576 bytes"), "{reason}");
    assert!(resident().0 < before + MIB);
}

#[tokio::test]
async fn threat_10_a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let server = Server::start(Limits { message_bytes: 70_000, ..Limits::default() }).await;
    let mut socket = server.raw_socket("").await;
    socket.write_all(&frame(0x82, &[1; 70_000])).await.unwrap();
    assert_eq!(read_frame(&mut socket).await.1.len(), 70_000);
    let half = [1; 35_000];
    socket.write_all(&frame(0x02, &half)).await.unwrap();
    socket.write_all(&frame(0x80, &half)).await.unwrap();
    assert_eq!(read_frame(&mut socket).await.1.len(), 70_000);
    socket.write_all(&frame(0x02, &half)).await.unwrap();
    socket.write_all(&frame(0x00, &half)).await.unwrap();
    socket.write_all(&frame(0x80, &[1])).await.unwrap();
    assert_eq!(read_close(&mut socket).await.0, 1009);
}

/// So many MiB of zeros; every MiB compresses to the same thousand bytes.
fn bomb(mib: usize) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(64 << 10);
    let zeros = vec![0; MIB];
    deflate.compress_vec(&zeros, &mut block, FlushCompress::Sync).unwrap();
    assert_eq!(deflate.total_in(), MIB as u64);
    let mut bomb = block.repeat(mib);
    bomb.truncate(bomb.len() - 4);
    bomb
}

#[tokio::test]
async fn threat_11_a_frame_that_inflates_to_1_gib_is_closed_1009_in_bounded_memory() {
    if !alone(module_path!(), "threat_11_a_frame_that_inflates_to_1_gib_is_closed_1009_in_bounded_memory") {
        return;
    }
    for limit in [2 * MIB, 16 * MIB] {
        let server = Server::start(Limits { message_bytes: limit, ..Limits::default() }).await;
        let mut socket = server.raw_socket(DEFLATE).await;
        let bomb = frame(0xC2, &bomb(1_024));
        assert!(bomb.len() < 2 * MIB);
        reset_peak();
        let (before, _) = resident();
        socket.write_all(&bomb).await.unwrap();
        assert_eq!(read_close(&mut socket).await.0, 1009);
        let peak = resident().1 - before;
        assert!(peak < limit + 8 * MIB, "{} KiB above with a limit of {limit}", peak >> 10);
    }
}

#[tokio::test]
async fn threat_11_a_bomb_in_fragments_is_no_better() {
    if !alone(module_path!(), "threat_11_a_bomb_in_fragments_is_no_better") {
        return;
    }
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket(DEFLATE).await;
    let bomb = bomb(64);
    let mut first = 0x42;
    reset_peak();
    let (before, _) = resident();
    for part in bomb.chunks(100) {
        // The server may be gone before the last of them.
        let _gone = socket.write_all(&frame(first, part)).await;
        first = 0x00;
    }
    assert_eq!(read_close(&mut socket).await.0, 1009);
    assert!(resident().1 - before < 9 * MIB);
}

#[tokio::test]
async fn threat_11_a_broken_deflate_stream_is_closed_1007() {
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket(DEFLATE).await;
    socket.write_all(&frame(0xC1, &[0xff; 40])).await.unwrap();
    assert_eq!(read_close(&mut socket).await.0, 1007);
}

#[tokio::test]
async fn threat_12_two_million_fragments_of_one_byte_make_a_message_in_bounded_memory() {
    if !alone(module_path!(), "threat_12_two_million_fragments_of_one_byte_make_a_message_in_bounded_memory") {
        return;
    }
    const COUNT: usize = 2_000_000;
    let server = Server::start(Limits { message_bytes: COUNT, ..Limits::default() }).await;
    let mut socket = server.raw_socket("").await;
    let (before, _) = resident();
    reset_peak();
    let many = frame(0x00, b"a").repeat(10_000);
    socket.write_all(&frame(0x01, b"a")).await.unwrap();
    for _ in 0..COUNT / 10_000 - 1 {
        socket.write_all(&many).await.unwrap();
    }
    socket.write_all(&many[..9_998 * 7]).await.unwrap();
    socket.write_all(&frame(0x80, b"a")).await.unwrap();
    assert_eq!(read_frame(&mut socket).await.1.len(), COUNT);
    let peak = resident().1 - before;
    // The message, its copy on the way out and back, and little else.
    assert!(peak < 4 * COUNT + 4 * MIB, "{} KiB", peak >> 10);
}

#[tokio::test]
async fn threat_12_pings_without_end_from_a_client_that_does_not_read_are_held_back() {
    if !alone(module_path!(), "threat_12_pings_without_end_from_a_client_that_does_not_read_are_held_back") {
        return;
    }
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket("").await;
    let (before, _) = resident();
    let pings = frame(0x89, &[b'p'; 125]).repeat(1_000);
    let flood = async {
        for _ in 0..1_000 {
            socket.write_all(&pings).await.unwrap();
        }
    };
    let stuck = tokio::time::timeout(PATIENCE / 10, flood).await;
    assert!(stuck.is_err(), "the server went on reading");
    assert!(resident().0 < before + 4 * MIB);
}

#[tokio::test]
async fn broken_frames_are_closed_with_the_code_of_the_rfc() {
    let server = Server::start(Limits::default()).await;
    let close = |code: u16| code.to_be_bytes().to_vec();
    let table: [(&str, Vec<u8>, u16); 16] = [
        ("unknown data opcode", frame(0x83, b""), 1002),
        ("unknown control opcode", frame(0x8b, b""), 1002),
        ("reserved bit 1", frame(0xC1, b"x"), 1002),
        ("reserved bit 2", frame(0xA1, b"x"), 1002),
        ("reserved bit 3", frame(0x91, b"x"), 1002),
        ("fragmented ping", frame(0x09, b"x"), 1002),
        ("long ping", frame(0x89, &[0; 126]), 1002),
        ("long pong", frame(0x8a, &[0; 126]), 1002),
        ("long close", frame(0x88, &[&close(1000)[..], &[b'x'; 124]].concat()), 1002),
        ("unmasked", vec![0x81, 1, b'x'], 1002),
        ("continuation of nothing", frame(0x80, b"x"), 1002),
        ("message in a message", [frame(0x01, b"x"), frame(0x81, b"x")].concat(), 1002),
        ("text that is not UTF-8", frame(0x81, b"\xff"), 1007),
        ("text that stays incomplete", frame(0x81, b"\xc3"), 1007),
        ("close with one byte", frame(0x88, b"x"), 1002),
        ("close code 1005", frame(0x88, &close(1005)), 1002),
    ];
    for (name, bytes, code) in table {
        let mut socket = server.raw_socket("").await;
        socket.write_all(&bytes).await.unwrap();
        assert_eq!(read_close(&mut socket).await.0, code, "{name}");
        assert_eq!(read_to_end(&mut socket).await, "", "{name}");
    }
}

#[tokio::test]
async fn text_that_turns_bad_in_a_fragment_is_closed_before_the_message_ends() {
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket("").await;
    socket.write_all(&frame(0x01, "κό".as_bytes())).await.unwrap();
    socket.write_all(&frame(0x00, b"\xf4\x90\x80\x80")).await.unwrap();
    assert_eq!(read_close(&mut socket).await.0, 1007);
}

#[tokio::test]
async fn text_that_turns_bad_inside_a_frame_is_closed_before_the_frame_ends() {
    let server = Server::start(Limits::default()).await;
    let mut socket = server.raw_socket("").await;
    let bad = frame(0x81, b"\xce\xba\xf4\x90\x80\x80\x65\x64");
    socket.write_all(&frame(0x81, b"before")).await.unwrap();
    socket.write_all(&bad[..bad.len() - 2]).await.unwrap();
    assert_eq!(read_frame(&mut socket).await.1, b"before");
    assert_eq!(read_close(&mut socket).await.0, 1007);
}
