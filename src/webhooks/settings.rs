//! What an operator of the server sets about webhooks.

use std::time::Duration;

/// How webhooks are sent.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Hosts that may be at private, loopback or link-local addresses, and may be sent to without
    /// TLS; each as URLs name it.
    pub private_hosts: Vec<String>,
    /// More certificates (PEM) of those who vouch for receivers.
    pub ca_pem: Option<Vec<u8>>,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// For how long a message is tried before it is given up.
    pub retry_for: Duration,
    /// How many bytes of the journal are kept for a receiver that is behind. Beyond that it goes on
    /// from the archive, as far as that goes back.
    pub backlog_bytes_max: u64,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            private_hosts: Vec::new(),
            ca_pem: None,
            timeout: Duration::from_secs(15),
            retry_for: Duration::from_secs(3 * 86_400),
            backlog_bytes_max: 1 << 30,
        }
    }
}
