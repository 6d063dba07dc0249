//! What the broker asks before it lets anybody do anything: who may connect, under which client id, and with which topics.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::{
    BrokerEventHandler, ClientConnectEvent, ClientDisconnectEvent, ClientPublishEvent,
    PublishAction,
};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::command::{self, Reply};
use crate::audit::{Category, Source};
use crate::controller::{Actor, Controller};
use crate::factor;
use crate::flaw::Defect;
use crate::login::{Attempts, Purpose};
use crate::role::Permission;
use crate::session::Excess;

/// How long a refused login takes: a count that is written to the disk must not tell that there is an account.
const REFUSAL_TIME: Duration = Duration::from_millis(50);
/// Client ids whose owner is remembered.
const MOST_OWNERS: usize = 1024;

/// What a process may subscribe to: these topics by name, and no wildcard.
const PUBLISHED: &[&str] = &[
    "plant/level",
    "plant/output",
    "plant/setpoint",
    "plant/identity",
    "plant/ack",
    super::publisher::ALERTS,
];
pub(super) const COMMANDS: &str = "plant/cmd";
/// The same, sealed with a peer's key.
const SEALED: &str = "plant/sealed";

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(super) struct Gate {
    controller: Arc<Controller>,
    replies: mpsc::Sender<Reply>,
    router: OnceLock<Arc<MessageRouter>>,
    clients: Mutex<HashMap<String, Client>>,
}

/// A client id, and whose it is.
struct Client {
    actor: Actor,
    /// The tasks that end its open connections when the account is closed.
    connections: Vec<AbortHandle>,
    /// When it was last used, in logins.
    used: u64,
}

impl Gate {
    pub(super) fn new(controller: Arc<Controller>, replies: mpsc::Sender<Reply>) -> Self {
        let clients = Mutex::new(HashMap::new());
        Self {
            controller,
            replies,
            router: OnceLock::new(),
            clients,
        }
    }

    /// Gives the gate the router through which it closes connections.
    pub(super) fn attach(&self, router: Arc<MessageRouter>) {
        let _ = self.router.set(router);
    }

    /// The client id belongs to the first user who used it.
    fn claim(&self, client_id: &str, actor: &Actor) -> bool {
        let mut clients = self.clients();
        let used = clients
            .values()
            .map(|client| client.used)
            .max()
            .unwrap_or_default()
            + 1;
        if let Some(client) = clients.get_mut(client_id) {
            let inherits = self.controller.flaws.enabled(Defect::InheritedClientId)
                || self.controller.hands_on(client_id);
            if client.actor.name != actor.name && !inherits {
                return false;
            }
            (client.actor, client.used) = (actor.clone(), used);
            return true;
        }
        if clients.len() >= MOST_OWNERS {
            let unused = clients
                .iter()
                .filter(|(_, client)| client.connections.is_empty());
            let oldest = unused
                .min_by_key(|(_, client)| client.used)
                .map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                clients.remove(&oldest);
            }
        }
        let client = Client {
            actor: actor.clone(),
            connections: Vec::new(),
            used,
        };
        clients.insert(client_id.to_owned(), client);
        true
    }

    fn actor(&self, client_id: &str) -> Option<Actor> {
        self.clients()
            .get(client_id)
            .map(|client| client.actor.clone())
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<String, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn admit(&self, connect: &ConnectPacket) -> AuthResult {
        if let (None, Some(actor)) = (
            &connect.username,
            self.controller.known_by(&connect.client_id),
        ) {
            self.claim(&connect.client_id, &actor);
            return AuthResult::success_with_user(actor.name);
        }
        let name = connect.username.as_deref().unwrap_or_default();
        let password = String::from_utf8_lossy(connect.password.as_deref().unwrap_or_default());
        let shown = if self.controller.demands_code(name, Source::Mqtt) {
            factor::part(&password)
        } else {
            (&*password, "")
        };
        let mut attempts = Attempts::default();
        let refused_at = Instant::now() + REFUSAL_TIME;
        let login = self
            .controller
            .login(Source::Mqtt, Purpose::Login, name, shown, &mut attempts)
            .await;
        let Ok(actor) = login else {
            sleep_until(refused_at).await;
            return AuthResult::fail(ReasonCode::BadUsernameOrPassword);
        };
        if !self.claim(&connect.client_id, &actor) {
            let detail = "client id of another user";
            self.controller
                .record(&actor, Category::RequestError, "refused", false, detail);
            return AuthResult::fail(ReasonCode::NotAuthorized);
        }
        self.controller
            .remember_client(&connect.client_id, &actor, true);
        // The broker hands a session on to the same user only.
        let flaws = &self.controller.flaws;
        let inherited = [Defect::InheritedClientId, Defect::EndedSessionHandedOn];
        if inherited.into_iter().any(|it| flaws.enabled(it)) {
            return AuthResult::success_with_user("plant");
        }
        AuthResult::success_with_user(actor.name)
    }

    fn permits(&self, client_id: &str, permission: Permission, named: bool, what: &str) -> bool {
        if self.controller.flaws.enabled(Defect::TopicAclIgnored) {
            return true;
        }
        let Some(actor) = self.actor(client_id) else {
            return false;
        };
        if named && self.controller.permits(&actor, permission) {
            return true;
        }
        self.controller
            .record(&actor, Category::RequestError, "refused", false, what);
        false
    }
}

impl AuthProvider for Gate {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _from: SocketAddr,
    ) -> Answer<'a, mqtt5::Result<AuthResult>> {
        Box::pin(async move { Ok(self.admit(connect).await) })
    }

    fn authorize_publish<'a>(
        &'a self,
        client_id: &str,
        _user: Option<&'a str>,
        topic: &'a str,
    ) -> Answer<'a, bool> {
        let what = format!("publish {topic}");
        let named = [COMMANDS, SEALED].contains(&topic);
        let permitted = self.permits(client_id, Permission::WriteOutput, named, &what);
        Box::pin(std::future::ready(permitted))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        client_id: &str,
        _user: Option<&'a str>,
        filter: &'a str,
    ) -> Answer<'a, bool> {
        let what = format!("subscribe {filter}");
        let named = PUBLISHED.contains(&filter);
        let permitted = self.permits(client_id, Permission::Subscribe, named, &what);
        Box::pin(std::future::ready(permitted))
    }
}

impl BrokerEventHandler for Gate {
    fn on_client_connect<'a>(&'a self, event: ClientConnectEvent) -> Answer<'a, ()> {
        if let (Some(actor), Some(router)) = (self.actor(&event.client_id), self.router.get()) {
            // A process that connects again must not be kept out by what is left of its last connection.
            let session = self.controller.open_session(&actor, Excess::OldestEnds);
            let Some(session) = session else {
                return Box::pin(std::future::ready(()));
            };
            let (router, client_id) = (Arc::clone(router), Arc::clone(&event.client_id));
            let controller = Arc::clone(&self.controller);
            let watch = tokio::spawn(async move {
                session.ended().await;
                controller.client_ended(&client_id, &actor);
                router.disconnect_client(&client_id).await;
            });
            if let Some(client) = self.clients().get_mut(&*event.client_id) {
                client.connections.push(watch.abort_handle());
            }
        }
        Box::pin(std::future::ready(()))
    }

    fn on_client_publish<'a>(&'a self, event: ClientPublishEvent) -> Answer<'a, PublishAction> {
        let run = match &*event.topic {
            COMMANDS => command::run,
            SEALED => command::run_sealed,
            _ => return Box::pin(std::future::ready(PublishAction::Continue)),
        };
        if let Some(mut actor) = self.actor(&event.client_id) {
            if self.controller.flaws.enabled(Defect::AuditNamesTheClientId) {
                actor.name = event.client_id.to_string();
            }
            // A client that sends faster than its answers go out loses answers, not commands.
            let _ = self
                .replies
                .try_send(run(&self.controller, &actor, &event.payload));
        }
        Box::pin(std::future::ready(PublishAction::Handled))
    }

    fn on_client_disconnect<'a>(&'a self, event: ClientDisconnectEvent) -> Answer<'a, ()> {
        let mut clients = self.clients();
        if let Some(client) = clients.get_mut(&*event.client_id) {
            if !client.connections.is_empty() {
                client.connections.remove(0).abort();
            }
            let actor = client.actor.clone();
            drop(clients);
            self.controller
                .remember_client(&event.client_id, &actor, false);
            self.controller
                .record(&actor, Category::Access, "logout", true, "");
        }
        Box::pin(std::future::ready(()))
    }
}
