//! What came of steps, as coverage counts it.

use super::alteration::Altered;
use super::stage::Event;
use super::step::{Carried, Step};

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
        Step::LimitIdle { .. } => "a limit of silence".to_owned(),
        Step::Neglect { beside, .. } => match beside {
            Some(visit) => format!(
                "a session left alone, {:?} password on {}",
                visit.password, visit.interface
            ),
            None => "a session left alone".to_owned(),
        },
        Step::Grant { .. } => "a right given".to_owned(),
        Step::Revoke { .. } => "a right taken away".to_owned(),
        Step::Offer {
            file,
            cut_ms,
            altered,
            ..
        } => {
            let name = match file {
                Carried::Image(name) => format!("the image {name}"),
                Carried::Configuration(name) => format!("the configuration {name}"),
                Carried::Backup(_) => "a backup".to_owned(),
                Carried::ForeignBackup(name) => format!("the backup {name}"),
            };
            let words = altered.iter().map(|one| format!(", {}", one.word()));
            let cut = if cut_ms.is_some() { ", cut" } else { "" };
            format!("{name}{}{cut}", words.collect::<String>())
        }
        Step::BackUp { .. } => "a backup made".to_owned(),
        Step::Set { setting, .. } => format!("{setting} set"),
        Step::GoBack => "the way back".to_owned(),
        Step::Look { .. } => "a look".to_owned(),
        Step::ReadAudit => "the audit log".to_owned(),
        Step::ReadAll { interface, .. } => format!("all that reads on {interface}"),
        Step::Change {
            interface, fault, ..
        } => {
            let place = interface.as_deref().unwrap_or("an administrator's");
            match fault {
                Some(fault) => format!("a new password, {}, on {place}", fault.word()),
                None => format!("a new password, on {place}"),
            }
        }
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
        Event::Offered(offered) => match (offered.before == offered.after, offered.altered) {
            (_, Altered::Not) if offered.done => "taken",
            (false, _) => "taken",
            (true, _) if offered.done => "nothing changed, done it says",
            (true, _) => "not taken",
        },
        Event::Log(_) | Event::Read(_) => "read",
        Event::Done => "done",
        Event::Nothing => "nothing to do",
    };
    format!("{step}: {event}")
}
