//! How many connections or sockets each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::lock;

/// Counts them.
#[derive(Clone, Debug)]
pub(super) struct PerIp {
    max: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of an address'.
#[derive(Debug)]
pub(super) struct Counted(PerIp, IpAddr);

impl PerIp {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: Arc::default(),
        }
    }

    /// One more, if there may be one more.
    pub(super) fn enter(&self, ip: IpAddr) -> Option<Counted> {
        let mut open = lock(&self.open);
        let count = open.entry(ip).or_default();
        (*count < self.max).then(|| {
            *count += 1;
            Counted(self.clone(), ip)
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = lock(&self.0.open);
        if let Some(count) = open.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.1);
            }
        }
    }
}
