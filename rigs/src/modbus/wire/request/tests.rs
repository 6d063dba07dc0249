use super::*;

/// The worked examples of AP §6.
fn examples() -> Vec<(Vec<u8>, Request)> {
    let hex = |text: &str| -> Vec<u8> {
        text.split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    };
    vec![
        (
            hex("01 00 13 00 13"),
            Request::ReadCoils {
                address: 0x13,
                quantity: 19,
            },
        ),
        (
            hex("02 00 C4 00 16"),
            Request::ReadDiscreteInputs {
                address: 196,
                quantity: 22,
            },
        ),
        (
            hex("03 00 6B 00 03"),
            Request::ReadHoldingRegisters {
                address: 107,
                quantity: 3,
            },
        ),
        (
            hex("04 00 08 00 01"),
            Request::ReadInputRegisters {
                address: 8,
                quantity: 1,
            },
        ),
        (
            hex("05 00 AC FF 00"),
            Request::WriteSingleCoil {
                address: 172,
                on: true,
            },
        ),
        (
            hex("06 00 01 00 03"),
            Request::WriteSingleRegister {
                address: 1,
                value: 3,
            },
        ),
        (
            hex("0F 00 13 00 0A 02 CD 01"),
            Request::WriteMultipleCoils {
                address: 19,
                values: unpack_bits(&[0xCD, 1], 10),
            },
        ),
        (
            hex("10 00 01 00 02 04 00 0A 01 02"),
            Request::WriteMultipleRegisters {
                address: 1,
                values: vec![10, 0x102],
            },
        ),
        (
            hex("16 00 04 00 F2 00 25"),
            Request::MaskWriteRegister {
                address: 4,
                and: 0xF2,
                or: 0x25,
            },
        ),
        (
            hex("17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF"),
            Request::ReadWriteMultipleRegisters {
                read_address: 3,
                read_quantity: 6,
                write_address: 14,
                values: vec![0xFF; 3],
            },
        ),
        (
            hex("2B 0E 01 00"),
            Request::ReadDeviceIdentification {
                access: AccessCode::Basic,
                object: 0,
            },
        ),
    ]
}

#[test]
fn parses_and_emits_the_examples_of_the_specification() {
    for (bytes, request) in examples() {
        assert_eq!(Request::parse(&bytes).as_ref(), Ok(&request));
        assert_eq!(request.emit().unwrap(), bytes);
    }
}

#[test]
fn a_cut_or_longer_request_is_told() {
    for (bytes, request) in examples() {
        let function = request.function();
        for len in 1..bytes.len() {
            assert_eq!(
                Request::parse(&bytes[..len]),
                Err(RequestError::Truncated(function)),
                "{bytes:x?}"
            );
        }
        let long = [&bytes[..], &[0]].concat();
        assert_eq!(
            Request::parse(&long),
            Err(RequestError::Trailing { function, extra: 1 })
        );
    }
    assert_eq!(Request::parse(&[]), Err(RequestError::Empty));
}

#[test]
fn limits_hold_both_ways() {
    for (function, limit) in [(1u8, 2000u16), (2, 2000), (3, 125), (4, 125)] {
        let pdu = |quantity: u16| [&[function, 0, 0][..], &quantity.to_be_bytes()].concat();
        assert!(Request::parse(&pdu(limit)).is_ok());
        for got in [0, limit + 1, 0xFFFF] {
            assert_eq!(
                Request::parse(&pdu(got)),
                Err(RequestError::Quantity { got, limit })
            );
        }
    }
    let write = |len| {
        Request::WriteMultipleRegisters {
            address: 0,
            values: vec![0; len],
        }
        .emit()
    };
    assert_eq!(write(123).unwrap().len(), 252);
    assert!(write(124).is_err() && write(0).is_err() && write(70000).is_err());
    let coils = |len| {
        Request::WriteMultipleCoils {
            address: 0,
            values: vec![true; len],
        }
        .emit()
    };
    assert_eq!(coils(1968).unwrap().len(), 252);
    assert!(coils(1969).is_err() && coils(0).is_err());
}

#[test]
fn values_that_contradict_are_told() {
    assert_eq!(
        Request::parse(&[5, 0, 0, 0, 1]),
        Err(RequestError::CoilValue(1))
    );
    assert_eq!(
        Request::parse(&[16, 0, 1, 0, 2, 3, 0, 0, 0]),
        Err(RequestError::ByteCount { got: 3, want: 4 })
    );
    assert_eq!(
        Request::parse(&[3, 0xFF, 0xFF, 0, 2]),
        Err(RequestError::Range {
            address: 0xFFFF,
            quantity: 2
        })
    );
    assert!(Request::parse(&[3, 0xFF, 0xFF, 0, 1]).is_ok());
    assert_eq!(
        Request::parse(&[43, 13, 0, 0]),
        Err(RequestError::MeiType(13))
    );
    assert_eq!(
        Request::parse(&[43, 14, 5, 0]),
        Err(RequestError::Access(5))
    );
}
