//! What one client may cost the others.

use std::time::Duration;

/// Bounds of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests that one caller may make each second, on average; 0: as many as it likes. A stream of events and a long poll count
    /// once, whether the service is alive and ready may be asked without end, and so may root and the user that it runs as.
    pub requests_per_second: u32,
    /// Requests that one caller may make at once, after it was quiet for as long as that takes to be made up for. At least 1.
    pub request_burst: u32,
    /// Largest body of a request, bytes.
    pub body_bytes: usize,
    /// Largest policy that may be uploaded, bytes.
    pub upload_bytes: usize,
    /// Changes of policies that are worked on at once, uploads among them, which are in memory; one more is told to come back.
    pub uploads: usize,
    /// Requests that are worked on at once; one more is told to come back.
    pub requests: usize,
    /// Time for a request, its body included. Calls to hosts have deadlines of their own, which are shorter by default.
    pub request_time: Duration,
    /// Listeners to events and long polls at once.
    pub watchers: usize,
    /// Longest wait of a long poll.
    pub longest_wait: Duration,
    /// Time for the head of a request.
    pub head_time: Duration,
    /// How long a client may take nothing of what is written for it; then its connection ends. While nothing is to be written,
    /// as on a quiet stream of events, no time is counted.
    pub write_time: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one client, so that it can't take all of them: to the port from one address (of IPv6: from one /64),
    /// to the socket of one user. Root and the user that the service runs as have as many as there are.
    pub connections_of_one: usize,
    /// What the hub keeps of rendered events, bytes. Who is further behind is served from the store.
    pub kept_event_bytes: usize,
    /// Between two looks for tasks that nobody drives.
    pub adopt_every: Duration,
    /// Between two looks for what other processes wrote, while anybody listens.
    pub look_every: Duration,
    /// How long an idempotency key is remembered.
    pub keys_kept: Duration,
    /// Silence on an event stream after which a comment is sent, so that nobody on the way takes it for dead.
    pub heartbeat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: 100,
            request_burst: 1000,
            body_bytes: 64 << 10,
            upload_bytes: 8 << 20,
            uploads: 4,
            requests: 256,
            request_time: Duration::from_secs(120),
            watchers: 4096,
            longest_wait: Duration::from_secs(60),
            head_time: Duration::from_secs(10),
            write_time: Duration::from_secs(30),
            connections: 8192,
            connections_of_one: 128,
            kept_event_bytes: 8 << 20,
            adopt_every: Duration::from_secs(5),
            look_every: Duration::from_millis(100),
            keys_kept: Duration::from_secs(7 * 24 * 3600),
            heartbeat: Duration::from_secs(15),
        }
    }
}
