//! Frames that the box decodes where the DSI said so, and hostile ones, each by name.

use preau_shared::{
    badge::{Badge, ForeignCode},
    documents::school::let_frames,
    keys::dpop::Expected,
};
use qrcode::{Color, EcLevel, QrCode};
use serde_json::json;

use super::school::{Answer, Device, School, send};

const WIDE: usize = 640;
const HIGH: usize = 480;

/// A white frame on which codes are drawn.
struct Paper {
    wide: usize,
    greys: Vec<u8>,
}

impl Paper {
    fn of(wide: usize, high: usize) -> Self {
        Self { wide, greys: vec![255; wide * high] }
    }

    /// Draws a code whose modules are squares of `side` pixels.
    fn with(mut self, text: &str, (left, top): (usize, usize), side: usize) -> Self {
        let code = QrCode::with_error_correction_level(text, EcLevel::L).expect("a code");
        let modules = code.width();
        for (at, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Light {
                continue;
            }
            let (x, y) = (left + at % modules * side, top + at / modules * side);
            for line in y..y + side {
                self.greys[line * self.wide + x..][..side].fill(0);
            }
        }
        self
    }

    fn mirrored(mut self) -> Self {
        self.greys.chunks_mut(self.wide).for_each(<[u8]>::reverse);
        self
    }

    fn upside_down(mut self) -> Self {
        self.greys.reverse();
        self
    }
}

impl Device {
    async fn shows(&mut self, (wide, high): (usize, usize), greys: &[u8]) -> Answer {
        loop {
            let answer = self.shows_once((wide, high), greys).await;
            self.nonce = answer.nonce.clone();
            if answer.body["code"] != "use_dpop_nonce" {
                return answer;
            }
        }
    }

    async fn shows_once(&mut self, (wide, high): (usize, usize), greys: &[u8]) -> Answer {
        self.jti = self.jti.wrapping_add(1);
        let token = self.token.clone();
        let expected = Expected { method: "POST", url: "https://box/api/v1/frames", token: token.as_deref() };
        let proof = self.key.prove(expected, Some(&self.nonce), &self.jti.to_string()).expect("proof");
        let authorization = format!("DPoP {}", token.unwrap_or_default());
        let headers = [("DPoP", proof.as_str()), ("Authorization", authorization.as_str())];
        send(self.at, "POST", &format!("/api/v1/frames?width={wide}&height={high}"), &headers, greys).await
    }
}

/// A school whose DSI lets its box decode frames, and a tablet of it.
async fn opened() -> (School, Device) {
    let school = School::open().await;
    school.coordinator_writes(let_frames(&"0900001A".parse().expect("uai"), true)).await;
    let tablet = school.tablet("T01").await;
    (school, tablet)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_are_refused_until_the_dsi_lets_them_and_again_once_it_stops_them() {
    let school = School::open().await;
    let mut tablet = school.tablet("T01").await;
    let paper = Paper::of(WIDE, HIGH).with(&school.lina.2, (200, 100), 6);
    assert_eq!(tablet.me().await.body["frames_on_box"], false);
    assert_eq!(tablet.shows((WIDE, HIGH), &paper.greys).await.code(), (403, "frames_off"));
    let uai = "0900001A".parse().expect("uai");
    school.coordinator_writes(let_frames(&uai, true)).await;
    assert_eq!(tablet.me().await.body["frames_on_box"], true);
    let read = tablet.shows((WIDE, HIGH), &paper.greys).await;
    assert_eq!((read.status, &read.body), (200, &json!({"badges": [school.lina.2], "others": []})));
    school.coordinator_writes(let_frames(&uai, false)).await;
    assert_eq!(tablet.shows((WIDE, HIGH), &paper.greys).await.code(), (403, "frames_off"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirrored_badge_and_one_upside_down_are_read() {
    let (school, mut tablet) = opened().await;
    let paper = || Paper::of(WIDE, HIGH).with(&school.lina.2, (200, 100), 6);
    for paper in [paper().mirrored(), paper().upside_down(), paper().mirrored().upside_down()] {
        assert_eq!(tablet.shows((WIDE, HIGH), &paper.greys).await.body["badges"], json!([school.lina.2]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_codes_the_badge_is_told_and_the_text_of_no_other() {
    let (school, mut tablet) = opened().await;
    let place = |n: usize| (60 + n % 5 * 240, 120 + n / 5 * 400);
    let mut paper = Paper::of(1_280, 960).with(&school.lina.2, place(7), 6);
    for n in (0..10).filter(|n| *n != 7) {
        paper = paper.with(&format!("https://ent.example/{n}"), place(n), 6);
    }
    let read = tablet.shows((1_280, 960), &paper.greys).await;
    assert_eq!(read.body["badges"], json!([school.lina.2]), "{}", read.body);
    let others = read.body["others"].as_array().expect("others");
    let known: Vec<_> = (0..10).map(|n| json!(ForeignCode::of(&format!("https://ent.example/{n}")).said())).collect();
    assert!(others.len() <= 9 && others.iter().all(|other| known.contains(other)), "{}", read.body);
    assert!(!String::from_utf8_lossy(&read.bytes).contains("ent.example"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_of_4296_characters_is_no_badge_and_its_text_is_not_told() {
    let (_school, mut tablet) = opened().await;
    let long = "A".repeat(4_296);
    let paper = Paper::of(1_280, 960).with(&long, (100, 30), 5);
    let read = tablet.shows((1_280, 960), &paper.greys).await;
    assert_eq!((read.status, &read.body["badges"]), (200, &json!([])));
    assert!(read.bytes.len() < 200, "{}", read.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_one_byte_is_none_and_stops_nothing() {
    let (school, mut tablet) = opened().await;
    for (size, greys) in [((1, 1), vec![0]), ((1_280, 1), vec![7; 1_280]), ((1, 960), vec![7; 960])] {
        assert_eq!(tablet.shows(size, &greys).await.code(), (400, "malformed"), "{size:?}");
    }
    assert_eq!(tablet.scan(&school.lina.2).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_megabytes_are_refused_while_they_arrive() {
    let (school, mut tablet) = opened().await;
    assert_eq!(tablet.shows((WIDE, HIGH), &vec![0; 1_280 * 960 + 1]).await.code(), (413, "too_large"));
    // The box hangs up long before the end of these: whoever goes on sending may not hear why.
    let at = school.at;
    let sent = tokio::spawn(async move { send(at, "POST", "/api/v1/frames", &[], &vec![0; 20_000_000]).await.status });
    assert!(sent.await.is_err() || school.tablet("T02").await.scan(&school.noe.2).await.status == 201);
    assert_eq!(tablet.scan(&school.lina.2).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_thousand_pixels_each_way_are_refused_by_their_numbers_alone() {
    let (_school, mut tablet) = opened().await;
    for size in [(30_000, 30_000), (1_281, 1), (1, 961), (4_294_967_295, 4_294_967_295)] {
        assert_eq!(tablet.shows(size, &[0]).await.code(), (413, "too_large"), "{size:?}");
    }
    assert_eq!(tablet.shows((99_999_999_999, 1), &[0]).await.code(), (400, "malformed"));
    assert_eq!(tablet.shows((0, 480), &[]).await.code(), (400, "malformed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_jpeg_is_not_a_frame() {
    let (_school, mut tablet) = opened().await;
    let jpeg = [&[0xFF, 0xD8, 0xFF, 0xE0, 0, 16][..], b"JFIF\0\x01\x01"].concat();
    assert_eq!(tablet.shows((WIDE, HIGH), &jpeg).await.code(), (400, "malformed"));
    // As many bytes as a frame has are a frame, whatever they were.
    let padded: Vec<u8> = jpeg.iter().copied().cycle().take(WIDE * HIGH).collect();
    let read = tablet.shows((WIDE, HIGH), &padded).await;
    assert_eq!((read.status, &read.body), (200, &json!({"badges": [], "others": []})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_shorter_or_longer_than_its_size_is_refused() {
    let (_school, mut tablet) = opened().await;
    for bytes in [0, WIDE * HIGH - 1, WIDE * HIGH + 1] {
        assert_eq!(tablet.shows((WIDE, HIGH), &vec![255; bytes]).await.code(), (400, "malformed"), "{bytes}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_another_tablet_reads_no_frame() {
    let (school, mut tablet) = opened().await;
    let mut other = school.tablet("T02").await;
    other.token = tablet.token.clone();
    assert_eq!(other.shows((1, 1), &[0]).await.code(), (401, "proof_invalid"));
    tablet.token = Some("x".repeat(43));
    assert_eq!(tablet.shows((1, 1), &[0]).await.code(), (401, "tablet_unknown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_frames_at_once_are_bounded_and_sign_ins_go_on() {
    let (school, mut tablet) = opened().await;
    let stranger = Badge::draw(school.dice.as_ref()).payload();
    let paper = Paper::of(WIDE, HIGH).with(&stranger, (200, 100), 6);
    assert_eq!(tablet.shows((WIDE, HIGH), &paper.greys).await.status, 200);
    let mut hers = school.tablet("T02").await;
    let mut asked = tokio::task::JoinSet::new();
    let (token, nonce) = (tablet.token.clone().expect("token"), tablet.nonce.clone());
    for n in 0..100 {
        let jti = format!("storm {n}");
        let expected = Expected { method: "POST", url: "https://box/api/v1/frames", token: Some(&token) };
        let proof = tablet.key.prove(expected, Some(&nonce), &jti).expect("proof");
        let (at, authorization, greys) = (school.at, format!("DPoP {token}"), paper.greys.clone());
        asked.spawn(async move {
            let headers = [("DPoP", proof.as_str()), ("Authorization", authorization.as_str())];
            send(at, "POST", "/api/v1/frames?width=640&height=480", &headers, &greys).await
        });
    }
    assert_eq!(hers.scan(&school.lina.2).await.status, 201);
    let answers = asked.join_all().await;
    let read = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.code() == (503, "overloaded")).count();
    assert!(read > 0 && read + refused == 100, "{read} read, {refused} refused");
}
