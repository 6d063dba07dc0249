use super::*;

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

#[test]
fn the_examples_of_the_specification_are_legal() {
    for (request, answer) in [
        ("01 00 13 00 13", "01 03 CD 6B 05"),
        ("02 00 C4 00 16", "02 03 AC DB 35"),
        ("03 00 6B 00 03", "03 06 02 2B 00 00 00 64"),
        ("04 00 08 00 01", "04 02 00 0A"),
        ("05 00 AC FF 00", "05 00 AC FF 00"),
        ("06 00 01 00 03", "06 00 01 00 03"),
        ("07", "07 6D"),
        ("08 00 00 A5 37", "08 00 00 A5 37"),
        ("0B", "0B FF FF 01 08"),
        ("0C", "0C 08 00 00 01 08 01 21 20 00"),
        ("0F 00 13 00 0A 02 CD 01", "0F 00 13 00 0A"),
        ("10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02"),
        ("16 00 04 00 F2 00 25", "16 00 04 00 F2 00 25"),
        (
            "17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF",
            "17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF",
        ),
        ("2B 0E 04 02", "2B 0E 04 81 00 00 01 02 02 31 30"),
        ("01 04 A1 00 01", "81 02"),
        ("41 01 02", "41 99"),
        ("41 01 02", "C1 01"),
    ] {
        assert_eq!(
            legal_answer(&hex(request), &hex(answer)),
            Ok(()),
            "{request} -> {answer}"
        );
    }
}

#[test]
fn each_breach_is_named() {
    let cases: &[(&str, &str, Illegal)] = &[
        (
            "03 00 00 00 01",
            "",
            Illegal::Malformed(ResponseError::Empty),
        ),
        (
            "03 00 00 00 01",
            "04 02 00 00",
            Illegal::Function { got: 4, want: 3 },
        ),
        (
            "03 00 00 00 01",
            "84 02",
            Illegal::Function { got: 0x84, want: 3 },
        ),
        ("03 00 00 00 01", "83 00", Illegal::ExceptionCode(0)),
        ("03 00 00 00 01", "83 0C", Illegal::ExceptionCode(12)),
        (
            "03 00 00 00 02",
            "03 02 00 00",
            Illegal::Quantity { got: 2, want: 4 },
        ),
        ("01 00 00 00 03", "01 01 0F", Illegal::Padding),
        (
            "05 00 AC FF 00",
            "05 00 AC 00 00",
            Illegal::Echo {
                field: "value",
                got: 0,
                want: 0xFF00,
            },
        ),
        (
            "06 00 01 00 03",
            "06 00 02 00 03",
            Illegal::Echo {
                field: "address",
                got: 2,
                want: 1,
            },
        ),
        (
            "10 00 01 00 01 02 00 00",
            "10 00 01 00 02",
            Illegal::Echo {
                field: "quantity",
                got: 2,
                want: 1,
            },
        ),
        (
            "16 00 04 00 F2 00 25",
            "16 00 04 00 F2 00 26",
            Illegal::Echo {
                field: "OR mask",
                got: 0x26,
                want: 0x25,
            },
        ),
        (
            "08 00 01 00 00",
            "08 00 00 00 00",
            Illegal::Echo {
                field: "sub-function",
                got: 0,
                want: 1,
            },
        ),
        ("00", "00", Illegal::ReservedFunction(0)),
        ("", "03 02 00 00", Illegal::Accepted(RequestError::Empty)),
        (
            "03 00 00 00 7E",
            "03 02 00 00",
            Illegal::Accepted(RequestError::Quantity {
                got: 126,
                limit: 125,
            }),
        ),
        (
            "05 00 00 12 34",
            "05 00 00 12 34",
            Illegal::Accepted(RequestError::CoilValue(0x1234)),
        ),
        (
            "2B 0E 01 00",
            "2B 0E 01 01 00 00 01 80 01 41",
            Illegal::Identification("an object outside the category asked for"),
        ),
        (
            "2B 0E 04 00",
            "2B 0E 04 81 00 00 01 01 01 41",
            Illegal::Identification("another object than the one asked for"),
        ),
    ];
    for (request, answer, breach) in cases {
        assert_eq!(
            legal_answer(&hex(request), &hex(answer)),
            Err(*breach),
            "{request} -> {answer}"
        );
    }
    let long = legal_answer(&[3, 0, 0, 0, 1], &[&[3, 3][..], &[0, 0, 0]].concat());
    assert_eq!(
        long,
        Err(Illegal::Malformed(ResponseError::OddByteCount(3)))
    );
    assert!(
        legal_answer(&[3, 0, 0, 0, 1], &[0x83, 2, 0]).is_err(),
        "an exception of three bytes"
    );
}

#[test]
fn bytes_too_many_may_be_refused_or_overlooked() {
    let request = hex("03 00 00 00 01 FF");
    assert!(legal_answer(&request, &hex("03 02 00 00")).is_ok());
    assert!(legal_answer(&request, &hex("83 03")).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(
        request in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        answer in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
    ) {
        let _ = legal_answer(&request, &answer);
    }

    #[test]
    fn an_answer_of_the_same_function_does_not_panic(
        function in 0u8..=255,
        request in proptest::collection::vec(proptest::num::u8::ANY, 0..20),
        answer in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
    ) {
        let _ = legal_answer(&[&[function], &request[..]].concat(), &[&[function], &answer[..]].concat());
    }
}
