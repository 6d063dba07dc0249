//! EDR, HDR and NDR 3.13: provisioning asset owner roots of trust.

use slcert_rigs::Attempt;
use slcert_rigs::rig::{Name, Values, VendorFile};

use crate::alter::alterations;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::configured::{Settings, can_be_put_back, move_away, put_back, read, wanted, words};
use crate::hands::{Desk, Hand, hand, outsiders, restart};
use crate::offer::{has_to_be_refused, offer};
use crate::procedure::{Procedure, Stop};

/// The cases of these requirements.
pub const CASES: &[Case] = &[Case {
    id: "owner-root",
    title: "an owner's root of trust is taken from who may provision it, used, and kept",
    requirements: &["EDR 3.13", "HDR 3.13", "NDR 3.13"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &["provision_trust", "remove_trust", "import_configuration"],
    objective: "Give the device a root of trust of its owner, as an account of every role, and see by a configuration that the owner has signed \
                whether the device goes by it.",
    criterion: "The configuration is refused before the root is there, after who may not has offered it, and after it was removed; it is taken \
                while the root is there, also after a restart, and refused where it was altered.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(owner_root(p)) },
}];

/// The most altered configurations that are offered.
const ALTERED: usize = 3;

async fn owner_root(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    let (provisioner, remover) = (hand(p, "provision_trust")?, hand(p, "remove_trust")?);
    let root = Root::prepare(p, &mut desk).await?;
    let tried = root.try_all(p, &mut desk, provisioner, remover).await;
    // Where it is gone already, the device refuses.
    let removed = root.remove(p, &mut desk, remover).await;
    let back = put_back(p, &mut desk, root.file, &root.before).await;
    desk.close().await;
    tried.and(removed).and(back)
}

/// A root of trust, and the configuration that shows whether the device goes by it.
struct Root<'r> {
    name: &'r str,
    values: Values,
    file: &'r VendorFile,
    configuration: Vec<u8>,
    importer: Hand<'r>,
    /// What the settings were at first.
    before: Settings,
}

impl<'r> Root<'r> {
    async fn prepare(p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<Self, Stop> {
        let rig = p.rig();
        let found = rig.configurations.values().find_map(|file| {
            let trust = file.trust.as_ref()?;
            let (name, root) = rig.trusts.get_key_value(&trust.value)?;
            (file.fault.is_none() && !file.sets.is_empty()).then_some((file, name, root))
        });
        let (file, name, root): (_, &Name, _) = found.ok_or_else(|| {
            Stop::not_evaluated(
                "the rig file names no configuration that an owner has signed, with what it sets (`configuration.NAME.trust`)",
            )
        })?;
        let mut values = p.bench().place(&p.bench().file(&root.file)?)?;
        values.insert("name".to_owned(), name.as_str().to_owned());
        let before = read(p, desk, file).await?;
        can_be_put_back(p, &before)?;
        Ok(Self {
            name: name.as_str(),
            values,
            file,
            configuration: p.bench().file(&file.file)?,
            importer: hand(p, "import_configuration")?,
            before,
        })
    }

    async fn try_all(
        &self,
        p: &mut Procedure<'r>,
        desk: &mut Desk<'r>,
        provisioner: Hand<'r>,
        remover: Hand<'r>,
    ) -> Result<(), Stop> {
        let owners = &self.configuration;
        self.is_refused(p, desk, owners, "before the root is there")
            .await?;
        for outsider in outsiders(p, "provision_trust") {
            desk.perform(p, outsider, "provision_trust", &self.values)
                .await?;
            let when = format!("after {outsider}, who may not, has offered the root");
            if self.is_refused(p, desk, owners, &when).await? {
                self.remove(p, desk, remover).await?;
            }
        }
        let attempt = desk
            .perform(p, provisioner, "provision_trust", &self.values)
            .await?;
        if !matches!(attempt, Attempt::Done(_)) {
            return Err(Stop::inconclusive(format!(
                "{provisioner} could not provision the root `{}`: {}",
                self.name,
                slcert_reports::excerpt(&attempt.answer().text, 200)
            )));
        }
        self.is_taken(p, desk, "with the root").await?;
        for one in alterations(owners).into_iter().rev().take(ALTERED) {
            let when = format!("with the root, and {}", one.how);
            self.is_refused(p, desk, &one.bytes, &when).await?;
        }
        if p.bench().can_power_cycle() {
            restart(p, desk).await?;
            self.is_taken(p, desk, "with the root, after a restart")
                .await?;
        }
        self.remove(p, desk, remover).await?;
        self.is_refused(p, desk, owners, "after the root was removed")
            .await?;
        Ok(())
    }

    async fn remove(
        &self,
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
        remover: Hand<'r>,
    ) -> Result<(), Stop> {
        desk.perform(p, remover, "remove_trust", &self.values)
            .await
            .map(|_| ())
    }

    /// Offers a configuration that has to be refused; true where it is taken.
    async fn is_refused(
        &self,
        p: &mut Procedure<'r>,
        desk: &mut Desk<'r>,
        configuration: &[u8],
        when: &str,
    ) -> Result<bool, Stop> {
        let was = self.somewhere_else(p, desk).await?;
        let said = offer(
            p,
            desk,
            self.importer,
            "import_configuration",
            configuration,
        )
        .await?;
        let is = read(p, desk, self.file).await?;
        let name = format!("the owner's configuration {when}");
        let taken = has_to_be_refused(p, &name, &said, &words(&was), &words(&is));
        if taken {
            put_back(p, desk, self.file, &self.before).await?;
        }
        Ok(taken)
    }

    /// Offers the owner's configuration, which has to be taken.
    async fn is_taken(
        &self,
        p: &mut Procedure<'r>,
        desk: &mut Desk<'r>,
        when: &str,
    ) -> Result<(), Stop> {
        self.somewhere_else(p, desk).await?;
        let owners = &self.configuration;
        let said = offer(p, desk, self.importer, "import_configuration", owners).await?;
        let is = read(p, desk, self.file).await?;
        let wanted = wanted(self.file);
        p.check(
            format!("the owner's configuration {when}"),
            format!("taken: {}", words(&wanted)),
            format!("{}; the device said: {}", words(&is), said.words()),
            is == wanted,
        );
        put_back(p, desk, self.file, &self.before).await
    }

    /// Sees to it that the configuration would change something; what the settings are.
    async fn somewhere_else(
        &self,
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
    ) -> Result<Settings, Stop> {
        read(p, desk, self.file).await?;
        move_away(p, desk, &wanted(self.file)).await?;
        read(p, desk, self.file).await
    }
}
