//! Setting the device's clock, so that a test of days takes no days, and naming its time server.

use jiff::{SignedDuration, Timestamp};
use slcert_rigs::Attempt;
use slcert_rigs::rig::Values;

use crate::procedure::{Procedure, Stop};

/// What sets the device's clock to the bench's time, moved by so many days.
pub fn set(days: i64) -> (&'static str, Values) {
    let now = Timestamp::now();
    let moved = now.checked_add(SignedDuration::from_hours(24 * days));
    ("set_time", time(moved.unwrap_or(now)))
}

/// The values of `set_time`.
pub fn time(time: Timestamp) -> Values {
    // What has no room for milliseconds gets the nearest second.
    let nearest = time.round(jiff::Unit::Second).unwrap_or(time);
    let mut values = Values::from([
        ("time".to_owned(), format!("{time:.3}")),
        ("unix".to_owned(), nearest.as_second().to_string()),
    ]);
    for (name, format) in [
        ("year", "%Y"),
        ("month", "%m"),
        ("day", "%d"),
        ("hour", "%H"),
        ("minute", "%M"),
        ("second", "%S"),
    ] {
        values.insert(name.to_owned(), nearest.strftime(format).to_string());
    }
    values
}

/// The values of `set_time_source`: a server as `address:port`, or whatever the device calls none.
pub fn time_source(server: &str) -> Values {
    let (address, port) = server.rsplit_once(':').unwrap_or((server, "123"));
    Values::from([
        ("server".to_owned(), server.to_owned()),
        ("address".to_owned(), address.to_owned()),
        ("port".to_owned(), port.to_owned()),
    ])
}

/// A number of days, for an operation that takes an age.
pub fn days(number: u32) -> Values {
    Values::from([
        ("days".to_owned(), number.to_string()),
        ("value".to_owned(), (u64::from(number) * 86_400).to_string()),
    ])
}

/// Sets the device's clock right again.
///
/// # Errors
/// INCONCLUSIVE tells that it is left wrong.
pub async fn put_right(p: &Procedure<'_>) -> Result<(), Stop> {
    let mut left = String::new();
    for _ in 0..2 {
        match once(p).await {
            Ok(attempt) if attempt.is_done() => return Ok(()),
            Ok(attempt) => left = slcert_reports::excerpt(&attempt.answer().text, 200),
            Err(stop) => left = stop.reason,
        }
    }
    Err(Stop::inconclusive(format!(
        "the device's clock could not be set right again, set it by hand before the next run: {left}"
    )))
}

/// The time is read when the session is open: a login takes its while.
async fn once(p: &Procedure<'_>) -> Result<Attempt, Stop> {
    let (interface, account) = p.anywhere("set_time")?;
    let mut session = p.bench().login(interface, account).await?;
    let (operation, values) = set(0);
    let attempt = session.perform(operation, &values).await;
    session.close().await;
    Ok(attempt?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_all_its_parts() {
        let values = time("2026-11-24T06:59:59.7Z".parse().unwrap());
        assert_eq!(values["time"], "2026-11-24T06:59:59.700Z");
        assert_eq!((&*values["hour"], &*values["minute"]), ("07", "00"));
    }

    #[test]
    fn days_move_the_clock_both_ways() {
        let unix = |days| set(days).1["unix"].parse::<i64>().unwrap();
        let day = unix(0) - unix(-1);
        assert!((86_398..=86_402).contains(&day), "{day}");
    }

    #[test]
    fn a_time_source_is_an_address_and_a_port_or_a_word() {
        assert_eq!(time_source("192.0.2.1:1123")["port"], "1123");
        assert_eq!(time_source("none")["server"], "none");
        assert_eq!(time_source("192.0.2.1")["address"], "192.0.2.1");
    }
}
