//! Whether a list of changes can be applied, asked before the first of them is.
use crate::config::{Change, PeerAction, PeerChange};
use crate::crypto::PublicKey;
use crate::error::{ConfigError, ConfigReason};
use crate::limits::{Limits, MAX_PEERS, MIN_MTU};
use crate::peer::PeerTable;
use alloc::collections::BTreeSet;

/// Whether every change can be applied, in this order.
pub(super) fn check(peers: &PeerTable, limits: &Limits, changes: &[Change]) -> Result<(), ConfigError> {
    let mut plan =
        Plan { peers, limits, count: peers.len(), added: BTreeSet::new(), removed: Removed::These(BTreeSet::new()) };
    for (number, change) in changes.iter().enumerate() {
        plan.add(change).map_err(|reason| ConfigError { change: Some(number), reason })?;
    }
    Ok(())
}

/// Whether the limits let a tunnel work.
pub(super) fn check_limits(limits: &Limits) -> Result<(), ConfigReason> {
    let Limits { peers, handshakes_per_second, .. } = *limits;
    if peers == 0 || peers > MAX_PEERS || handshakes_per_second == 0 {
        return Err(ConfigReason::LimitOutOfRange);
    }
    Ok(())
}

/// What there will be after the changes so far.
struct Plan<'c> {
    peers: &'c PeerTable,
    limits: &'c Limits,
    count: usize,
    added: BTreeSet<PublicKey>,
    removed: Removed,
}

/// Which of the present peers will be gone.
enum Removed {
    All,
    These(BTreeSet<PublicKey>),
}

impl<'c> Plan<'c> {
    fn add(&mut self, change: &'c Change) -> Result<(), ConfigReason> {
        match change {
            Change::Mtu(mtu) if *mtu < MIN_MTU => return Err(ConfigReason::MtuOutOfRange),
            Change::Padding(padding) if !padding.is_valid() => return Err(ConfigReason::PaddingOutOfRange),
            Change::PrivateKey(_) | Change::Mtu(_) | Change::Padding(_) => {}
            Change::Limits(limits) => {
                check_limits(limits)?;
                self.limits = limits;
            }
            Change::RemoveAllPeers => {
                self.count = 0;
                self.added.clear();
                self.removed = Removed::All;
            }
            Change::Peer(change) => self.add_peer(change)?,
        }
        if self.count > self.limits.peers as usize {
            return Err(ConfigReason::TooManyPeers);
        }
        Ok(())
    }

    fn add_peer(&mut self, change: &PeerChange) -> Result<(), ConfigReason> {
        let key = change.public_key;
        let known = self.knows(&key);
        match change.action {
            PeerAction::Remove if known => {
                self.count = self.count.saturating_sub(1);
                if !self.added.remove(&key)
                    && let Removed::These(keys) = &mut self.removed
                {
                    keys.insert(key);
                }
            }
            PeerAction::Set if !known => {
                // All zeros is a peer to whom nothing is ever sent, as the Linux implementation has it.
                if key.is_low_order() && *key.as_bytes() != [0; 32] {
                    return Err(ConfigReason::LowOrderPublicKey);
                }
                self.count += 1;
                self.added.insert(key);
            }
            PeerAction::Remove | PeerAction::Set | PeerAction::Update => {}
        }
        Ok(())
    }

    fn knows(&self, key: &PublicKey) -> bool {
        let stays = match &self.removed {
            Removed::All => false,
            Removed::These(keys) => !keys.contains(key),
        };
        self.added.contains(key) || (stays && self.peers.slot_of(key).is_some())
    }
}
