//! MQTT over TLS.
pub(crate) async fn start(
    _tasks: &mut tokio::task::JoinSet<()>,
    _controller: &std::sync::Arc<crate::controller::Controller>,
    _store: &crate::store::Store,
    _address: std::net::SocketAddrV4,
) -> Result<(), crate::controller::StartError> {
    Ok(())
}
