use std::collections::BTreeSet;

use preau_shared::badge::Badge;
use qrcode::EcLevel;

use super::{
    readers::{read_as_box, read_by_rqrr, read_by_rxing},
    *,
};

fn payload() -> String {
    Badge::draw(&Seeded::new(3)).payload()
}

#[test]
fn the_same_seed_draws_the_same_frames() {
    let drawn = |class, seed| burst(class, &payload(), seed).expect("a burst");
    let one = drawn(Class::Mixed, 1);
    assert_eq!(one, drawn(Class::Mixed, 1));
    assert_ne!(one, drawn(Class::Mixed, 2));
    assert_eq!(one.len(), BURST);
    let different: BTreeSet<&[u8]> = one.iter().map(|frame| frame.pixels.as_slice()).collect();
    assert_eq!(different.len(), BURST, "a hand moves");
    let whole = usize::from(WIDTH) * usize::from(HEIGHT);
    assert!(one.iter().all(|frame| frame.pixels.len() == whole));
    let (film, head) = (film(&one), "YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n");
    assert!(film.starts_with(head.as_bytes()) && film.len() == head.len() + BURST * (6 + whole * 3 / 2));
}

#[test]
fn a_badge_that_is_held_straight_is_read() {
    for frame in burst(Class::Frontal, &payload(), 1).expect("a burst") {
        assert_eq!(read_as_box(&frame), Some(payload()));
        assert_eq!(read_by_rqrr(&frame), Some(payload()));
    }
}

fn code(text: &str, level: EcLevel) -> QrCode {
    QrCode::with_error_correction_level(text, level).expect("a code")
}

#[test]
fn what_is_too_faint_for_a_reader_is_read_as_a_relief() {
    let [frame, ..]: [Frame; BURST] = burst(Class::Frontal, &payload(), 1).expect("a burst").try_into().expect("four");
    let faint = Frame { pixels: frame.pixels.iter().map(|grey| 120 + grey / 12).collect() };
    assert_eq!(read_by_rxing(&faint), None);
    assert_eq!(read_as_box(&faint), Some(payload()));
}

#[test]
fn the_largest_code_fits_a_frame_and_four_hundred_do_not() {
    let long = "A".repeat(4_296);
    let frame = codes(&[code(&long, EcLevel::L)]).expect("a frame");
    assert_eq!(read_as_box(&frame), Some(long.clone()));
    assert_eq!(read_as_box(&frame.turned()), Some(long));
    assert!(codes(&vec![code("A", EcLevel::L); 400]).is_err());
}
