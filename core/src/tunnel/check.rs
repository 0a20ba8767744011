//! Whether a list of changes can be applied, asked before the first of them is, and all the memory that it needs.
use super::shared::Shared;
#[cfg(feature = "filter")]
use crate::config::Access;
use crate::config::{Change, Endpoint, PeerAction, PeerChange};
use crate::crypto::PublicKey;
use crate::error::{ConfigError, ConfigReason};
#[cfg(feature = "filter")]
use crate::filter::SessionConfig;
use crate::limits::{Limits, MAX_PEERS, MIN_MTU};
use crate::memory::{Boxed, NoMemory, list, make_room, put};
use crate::noise::Tai64N;
use crate::peer::{KeyHash, Peer, PeerTable};
use crate::route::Wanted;
use alloc::vec::Vec;
use hashbrown::HashTable;

impl From<NoMemory> for ConfigReason {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// What a list of changes needs, made before the first of them is applied.
pub(super) struct Prepared {
    /// For each change that needs something, in order.
    pub(super) means: Vec<Means>,
    pub(super) mentions: Mentions,
}

/// What one change needs.
pub(super) struct Means {
    /// Which change, from 0.
    pub(super) change: usize,
    /// The peer that it adds.
    pub(super) peer: Option<Boxed<Peer>>,
    /// The endpoint that it sets.
    pub(super) endpoint: Option<Boxed<Endpoint>>,
    /// The session of the peer that is ruled by it.
    #[cfg(feature = "filter")]
    pub(super) session: Option<crate::filter::Prepared>,
}

impl Means {
    const fn of(change: usize) -> Self {
        Self {
            change,
            peer: None,
            endpoint: None,
            #[cfg(feature = "filter")]
            session: None,
        }
    }

    /// Whether the change needs nothing.
    const fn is_empty(&self) -> bool {
        #[cfg(feature = "filter")]
        if self.session.is_some() {
            return false;
        }
        self.peer.is_none() && self.endpoint.is_none()
    }
}

/// Whether every change can be applied, in this order. Then there is memory for all of them in `peers`, in the routes of
/// `shared` and in what is returned; nothing else has changed.
pub(super) fn prepare(peers: &mut PeerTable, shared: &mut Shared, changes: &[Change]) -> Result<Prepared, ConfigError> {
    let whole = |error: NoMemory| ConfigError { change: None, reason: error.into() };
    #[cfg(feature = "filter")]
    let ruled = changes.iter().filter(|change| is_ruling(change)).count();
    #[cfg(feature = "filter")]
    if ruled > 0 {
        shared.make_filter().map_err(|reason| ConfigError { change: None, reason })?;
    }
    let mut plan = Plan::new(peers, shared, changes).map_err(whole)?;
    for (number, change) in changes.iter().enumerate() {
        plan.add(number, change).map_err(|reason| ConfigError { change: Some(number), reason })?;
    }
    let Plan { wanted, adds, prepared, .. } = plan;
    peers.try_reserve(adds).map_err(whole)?;
    let owners = peers.slots().len().saturating_add(adds);
    shared.routes.try_reserve(&wanted, owners).map_err(whole)?;
    #[cfg(feature = "filter")]
    if let Some(filter) = shared.filter.as_deref_mut().filter(|_| ruled > 0) {
        if owners > crate::filter::MAX_PEER as usize {
            return Err(ConfigError { change: None, reason: ConfigReason::TooManyPeers });
        }
        filter.make_room(owners, ruled).map_err(whole)?;
    }
    Ok(prepared)
}

/// Whether a change gives rules to a peer.
#[cfg(feature = "filter")]
fn is_ruling(change: &Change) -> bool {
    let access = match change {
        Change::Access { access, .. } | Change::Peer(PeerChange { action: PeerAction::Admit(access), .. }) => access,
        _ => return false,
    };
    matches!(access, Access::Ruled(_))
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
    shared: &'c Shared,
    limits: &'c Limits,
    /// Our public key.
    own: Option<PublicKey>,
    count: usize,
    /// Peers that are added, those that go again included.
    adds: usize,
    wanted: Wanted,
    prepared: Prepared,
}

impl<'c> Plan<'c> {
    fn new(peers: &'c PeerTable, shared: &'c Shared, changes: &[Change]) -> Result<Self, NoMemory> {
        let of_peers =
            || changes.iter().filter_map(|change| if let Change::Peer(peer) = change { Some(peer) } else { None });
        let needy = of_peers().filter(|peer| peer.action.plain() == PeerAction::Set || peer.endpoint.is_some()).count();
        #[cfg(feature = "filter")]
        let needy = needy.saturating_add(changes.iter().filter(|change| is_ruling(change)).count());
        // What stands alone needs no memory of what stood before it.
        let mentions = if changes.len() > 1 { of_peers().count() } else { 0 };
        Ok(Self {
            peers,
            shared,
            limits: &shared.limits,
            own: shared.public_key().copied(),
            count: peers.len(),
            adds: 0,
            wanted: Wanted::default(),
            prepared: Prepared { means: list(needy)?, mentions: Mentions::new(peers.hash(), mentions)? },
        })
    }

    fn add(&mut self, number: usize, change: &'c Change) -> Result<(), ConfigReason> {
        match change {
            Change::Mtu(mtu) if *mtu < MIN_MTU => return Err(ConfigReason::MtuOutOfRange),
            Change::Padding(padding) if !padding.is_valid() => return Err(ConfigReason::PaddingOutOfRange),
            Change::Mtu(_) | Change::Padding(_) => {}
            #[cfg(feature = "filter")]
            Change::Access { peer, access: Access::Ruled(config) } if self.knows(peer) => {
                let session = Some(self.session_of(peer, config)?);
                self.prepared.means.push(Means { session, ..Means::of(number) });
            }
            #[cfg(feature = "control")]
            Change::Access { .. } | Change::Control(_) => {}
            #[cfg(feature = "filter")]
            Change::Filter(_) => {}
            Change::PrivateKey(key) => {
                // Nobody is to be added or known by it: then it does not matter which key it is.
                if self.prepared.mentions.is_wanted() {
                    self.own = key.as_ref().map(|key| key.public_key());
                    if let Some(own) = self.own.filter(|own| self.knows(own)) {
                        self.remove(&own);
                    }
                }
            }
            Change::Limits(limits) => {
                check_limits(limits)?;
                self.limits = limits;
            }
            Change::RemoveAllPeers => {
                self.count = 0;
                self.prepared.mentions.forget_all();
            }
            Change::Peer(change) => self.add_peer(number, change)?,
        }
        if self.count > self.limits.peers as usize {
            return Err(ConfigReason::TooManyPeers);
        }
        Ok(())
    }

    fn add_peer(&mut self, number: usize, change: &PeerChange) -> Result<(), ConfigReason> {
        let key = change.public_key;
        let known = self.knows(&key);
        let mut peer = None;
        match change.action.plain() {
            PeerAction::Remove => {
                if known {
                    self.remove(&key);
                }
                return Ok(());
            }
            // It is passed over.
            PeerAction::Set if self.own == Some(key) => return Ok(()),
            PeerAction::Set if !known => {
                // All zeros is a peer to whom nothing is ever sent, as the Linux implementation has it.
                if key.is_low_order() && *key.as_bytes() != [0; 32] {
                    return Err(ConfigReason::LowOrderPublicKey);
                }
                self.count = self.count.saturating_add(1);
                self.adds = self.adds.saturating_add(1);
                self.prepared.mentions.note(&key, true);
                peer = Some(Boxed::new(Peer::new(key))?);
            }
            PeerAction::Update if !known => return Ok(()),
            PeerAction::Set | PeerAction::Update => {}
            // That is `Set` here.
            #[cfg(feature = "control")]
            PeerAction::Admit(_) => {}
        }
        let endpoint = change.endpoint.as_ref().map(|endpoint| Boxed::new(endpoint.copy()?)).transpose()?;
        let means = Means { peer, endpoint, ..Means::of(number) };
        #[cfg(feature = "filter")]
        let means = match &change.action {
            PeerAction::Admit(Access::Ruled(config)) => {
                Means { session: Some(self.session_of(&key, config)?), ..means }
            }
            _ => means,
        };
        if !means.is_empty() {
            self.prepared.means.push(means);
        }
        for allowed in change.allowed_ips.iter().filter(|allowed| !allowed.remove) {
            self.shared.routes.count(allowed.network, &mut self.wanted);
        }
        Ok(())
    }

    /// The session of a peer that is ruled, with all the memory that it needs.
    #[cfg(feature = "filter")]
    fn session_of(&self, key: &PublicKey, config: &SessionConfig) -> Result<crate::filter::Prepared, ConfigReason> {
        let filter = self.shared.filter.as_deref().ok_or(ConfigReason::NoMemory)?;
        let mut config = config.clone();
        let peer = self.peers.slot_of(key).and_then(|slot| self.peers.at(slot));
        let heard = peer.filter(|peer| peer.last_heard < crate::time::Instant::MAX);
        config.outer = heard.and_then(|peer| peer.endpoint.path()).map_or(config.outer, |path| Some(path.remote.ip()));
        Ok(filter.prepare(self.shared.clock.now(), config)?)
    }

    /// A peer that is known goes.
    fn remove(&mut self, key: &PublicKey) {
        self.count = self.count.saturating_sub(1);
        self.prepared.mentions.note(key, false);
    }

    fn knows(&self, key: &PublicKey) -> bool {
        self.prepared.mentions.says(key).unwrap_or_else(|| self.peers.slot_of(key).is_some())
    }
}

/// The peers that a list of changes adds or removes: first, what becomes of them while the list is checked; then, the latest
/// timestamps accepted from those that are removed and may be added again.
pub(super) struct Mentions {
    table: HashTable<Mention>,
    hash: KeyHash,
    /// How many there may be.
    most: usize,
    /// How often all peers were removed.
    epoch: u32,
}

struct Mention {
    key: PublicKey,
    /// In this epoch.
    epoch: u32,
    /// The peer is there.
    present: bool,
    floor: Tai64N,
}

impl Mentions {
    fn new(hash: KeyHash, most: usize) -> Result<Self, NoMemory> {
        let mut table = HashTable::new();
        make_room(&mut table, most, &|_| 0)?;
        Ok(Self { table, hash, most, epoch: 0 })
    }

    /// Whether there can be any.
    fn is_wanted(&self) -> bool {
        self.most > 0
    }

    fn find_mut(&mut self, key: &PublicKey) -> Option<&mut Mention> {
        self.table.find_mut(self.hash.of(key), |mention| mention.key == *key)
    }

    fn note(&mut self, key: &PublicKey, present: bool) {
        let epoch = self.epoch;
        if let Some(mention) = self.find_mut(key) {
            (mention.epoch, mention.present) = (epoch, present);
        } else if self.table.len() < self.most {
            let (hash, mention) = (self.hash, Mention { key: *key, epoch, present, floor: Tai64N::ZERO });
            put(&mut self.table, hash.of(key), mention, &|mention| hash.of(&mention.key));
        }
    }

    /// All peers are removed.
    fn forget_all(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    /// Whether the peer is there, if the changes so far say so.
    fn says(&self, key: &PublicKey) -> Option<bool> {
        let mention = self.table.find(self.hash.of(key), |mention| mention.key == *key);
        let since = mention.filter(|mention| mention.epoch == self.epoch).map(|mention| mention.present);
        since.or((self.epoch > 0).then_some(false))
    }

    /// Keeps the latest timestamp accepted from a peer that is removed, if it may be added again.
    pub(super) fn keep_floor(&mut self, key: &PublicKey, floor: Tai64N) {
        if let Some(mention) = self.find_mut(key) {
            mention.floor = floor;
        }
    }

    /// The timestamp that was kept of a peer.
    pub(super) fn take_floor(&mut self, key: &PublicKey) -> Tai64N {
        self.find_mut(key).map_or(Tai64N::ZERO, |mention| core::mem::replace(&mut mention.floor, Tai64N::ZERO))
    }
}
