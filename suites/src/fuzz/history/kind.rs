//! What came of steps, as coverage counts it.

use super::stage::Event;
use super::step::Step;

/// What a step came to, as coverage tells it apart.
pub fn kind(step: &Step, event: &Event) -> String {
    let step = match step {
        Step::Try {
            password,
            spelling,
            interface,
            ..
        } => format!("{password:?} password, name {spelling:?}, on {interface}"),
        Step::Abandon { interface, .. } => format!("a login left on {interface}"),
        Step::Login { interface, .. } => format!("a login on {interface}"),
        Step::Perform { operation, .. } => operation.clone(),
        Step::Logout { .. } => "a logout".to_owned(),
        Step::Vanish { .. } => "a session left".to_owned(),
        Step::Act { .. } => "a session used".to_owned(),
        Step::Count { interface, .. } => format!("sessions on {interface}"),
        Step::Return { .. } => "a return without a login".to_owned(),
        Step::Take { .. } => "a session taken over".to_owned(),
        Step::Lock { .. } => "a lock, unlocked".to_owned(),
        Step::Terminate { .. } => "all sessions ended by an administrator".to_owned(),
        Step::Limit { .. } => "a limit of sessions".to_owned(),
        Step::Grant { .. } => "a right given".to_owned(),
        Step::Revoke { .. } => "a right taken away".to_owned(),
        Step::ReadAudit => "the audit log".to_owned(),
        Step::Pause { .. } => "a pause".to_owned(),
        Step::PowerCycle => "a power cycle".to_owned(),
        Step::PutBack => "all put back".to_owned(),
    };
    let event = match event {
        Event::In => "let in",
        Event::Refused(_) => "refused",
        Event::KeptOut(_) => "refused, and others let in",
        Event::Acted { alive: true, .. } => "alive",
        Event::Acted { alive: false, .. } => "not alive",
        Event::Alive(count) => return format!("{step}: {count} alive"),
        Event::Asked { changed: true, .. } => "changed",
        Event::Asked { changed: false, .. } => "not changed",
        Event::Log(_) => "read",
        Event::Done => "done",
        Event::Nothing => "nothing to do",
    };
    format!("{step}: {event}")
}
