//! Backups of the device, as it makes them.

use slcert_rigs::Attempt;
use slcert_rigs::rig::{Template, Values};

use crate::hands::{Desk, Hand};
use crate::procedure::{Procedure, Stop};

/// Makes a backup.
///
/// # Errors
/// INCONCLUSIVE where the device makes none.
pub async fn make<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    maker: Hand<'r>,
) -> Result<Vec<u8>, Stop> {
    let file = p.bench().empty_file()?;
    let values = Values::from([("file".to_owned(), file.display().to_string())]);
    let made = match desk.perform(p, maker, "backup", &values).await? {
        // A command of the bench leaves it in the file; an interface answers with it.
        Attempt::Done(_) if file.exists() => {
            let named = Template::new(&file.display().to_string());
            p.bench().file(&named)?
        }
        Attempt::Done(answer) => {
            let text = answer.value.unwrap_or(answer.text);
            text.trim().as_bytes().to_vec()
        }
        other => {
            return Err(Stop::inconclusive(format!(
                "{maker} could not make a backup: {}",
                slcert_reports::excerpt(&other.answer().text, 200)
            )));
        }
    };
    if made.is_empty() {
        return Err(Stop::inconclusive(format!(
            "{maker} made a backup, and it is empty"
        )));
    }
    Ok(made)
}
