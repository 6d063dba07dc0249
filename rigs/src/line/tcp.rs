//! TCP.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::LineError;

/// Connects to `host:port`. `limit` bounds the time that it takes.
///
/// # Errors
/// Nothing listens there, no answer in time, or the operating system says no.
pub async fn open_tcp(address: &str, limit: Duration) -> Result<TcpStream, LineError> {
    let stream = match timeout(limit, TcpStream::connect(address)).await {
        Err(_) => {
            return Err(LineError::TimedOut {
                address: address.to_owned(),
                limit,
            });
        }
        Ok(Err(error)) => return Err(LineError::io(address, error)),
        Ok(Ok(stream)) => stream,
    };
    // A frame that waits for company would be judged as late.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}
