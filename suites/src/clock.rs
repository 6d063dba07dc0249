//! Setting the device's clock, so that a test of days takes no days.

use slcert_rigs::rig::Values;

use crate::account::administer;
use crate::procedure::{Procedure, Stop};

/// What sets the device's clock to the bench's time, moved by so many hours.
pub fn set(hours: i64) -> (&'static str, Values) {
    // Whole seconds are what every device takes; the next ones, as a login may come first.
    let now = jiff::Timestamp::now().as_millisecond().saturating_add(700) / 1000;
    let then = jiff::Timestamp::from_second(now.saturating_add(hours.saturating_mul(3600)));
    let then = then.unwrap_or_default();
    let value = |name: &str, text: String| (name.to_owned(), text);
    let values = Values::from([
        value("time", then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        value("date", then.strftime("%Y-%m-%d").to_string()),
        value("clock", then.strftime("%H:%M:%S").to_string()),
        value("seconds", then.as_second().to_string()),
    ]);
    ("set_clock", values)
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
    let first = administer(p, &[set(0)]).await;
    let right = match first {
        Err(_) => administer(p, &[set(0)]).await,
        done => done,
    };
    right.map_err(|stop| {
        Stop::inconclusive(format!(
            "the device's clock could not be set right again, set it by hand before the next run: {}",
            stop.reason
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_comes_in_several_forms_of_the_same_moment() {
        let (_, values) = set(-24);
        let whole = format!("{}T{}Z", values["date"], values["clock"]);
        assert_eq!(values["time"], whole);
        let moment: jiff::Timestamp = whole.parse().unwrap();
        assert_eq!(values["seconds"], moment.as_second().to_string());
        let ago = jiff::Timestamp::now().as_second() - moment.as_second();
        assert!((86_400..86_410).contains(&ago), "{ago}");
    }
}
