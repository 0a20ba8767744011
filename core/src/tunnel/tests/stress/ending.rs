//! How every history ends.
use super::*;

impl Story {
    /// The network is mended, both are configured soundly, nobody is refused and nobody's clock errs any more: packets flow
    /// both ways, whatever was before.
    pub(super) fn ends_well(&mut self) {
        self.finish();
        self.wire.clear();
        (0..2).for_each(|who| self.mend(who));
        let before = [0, 1].map(|who| self.hosts[who].tunnel.stats().rx_packets);
        for second in 0..60 {
            for who in 0..2 {
                if second > 0 {
                    self.clocks[who].pass(Duration::from_secs(1));
                }
                self.hosts[who].tunnel.handle_timeout(self.clocks[who].now);
                if second % 20 == 0 {
                    self.speak(who);
                    #[cfg(feature = "control")]
                    self.ask(who);
                }
            }
            self.carry();
        }
        let after = [0, 1].map(|who| self.hosts[who].tunnel.stats().rx_packets);
        // The first may go under a session that the other has lost: that shows after 15 s. What was staged before comes too.
        assert!(after[0] >= before[0] + 2 && after[1] >= before[1] + 2, "{before:?} {after:?}");
        for who in 0..2 {
            let other = private(self.keys[1 - who]).public_key();
            let tunnel = &self.hosts[who].tunnel;
            assert!(tunnel.peers.iter().all(|peer| peer.public_key != other || peer.staged.is_empty()));
            check(tunnel, true);
        }
        self.share_a_session();
        #[cfg(feature = "control")]
        assert!(self.heard.iter().all(|heard| *heard >= 2), "messages flow too: {:?}", self.heard);
    }

    /// Both seal under one session, and one of them is its initiator, who will replace it in time (lesson 7).
    fn share_a_session(&self) {
        let [(own, role), (other, their_role)] = [0, 1].map(|who: usize| {
            let tunnel = &self.hosts[who].tunnel;
            let id = tunnel.peer_by_key(&private(self.keys[1 - who]).public_key()).expect("they know each other");
            let pair = tunnel.peers.find(id).and_then(|peer| peer.sessions.current()).expect("a session");
            (pair.indices, pair.role)
        });
        assert_eq!((own.local, own.remote), (other.remote, other.local), "{role:?} {their_role:?}");
        assert_ne!(role, their_role);
    }

    fn mend(&mut self, who: usize) {
        let (now, other) = (self.clocks[who].now, private(self.keys[1 - who]).public_key());
        let mut peer = PeerChange::new(other);
        peer.endpoint = Some(Endpoint::Address(address(2 - who as u8)));
        peer.preshared_key = Some(crate::PresharedKey::from_bytes([0; 32]));
        peer.allowed_ips = vec![Self::network(1 - who)];
        let own = Change::PrivateKey(Some(private(self.keys[who])));
        let room = [Change::Limits(Limits::default()), Change::Mtu(1420), Change::Padding(Padding::Sixteen)];
        let tunnel = &mut self.hosts[who].tunnel;
        tunnel.configure(now, &room).expect("sound bounds");
        tunnel.configure(now, &[own, Change::Peer(peer)]).expect("sound changes");
        let known = tunnel.peer_by_key(&other).expect("it was configured");
        tunnel.set_refused(now, known, false);
        #[cfg(feature = "control")]
        self.open_channel(who);
    }

    /// One packet.
    fn speak(&mut self, who: usize) {
        let (mut buf, range) = packet(who as u8 + 1, 2 - who as u8, 60);
        let mut batch = [PacketSlot::new(PacketBuf { buf: &mut buf, packet: range })];
        self.hosts[who].tunnel.handle_packets(self.clocks[who].now, &mut batch);
        if let Outbound::Datagram { datagram, .. } = batch[0].outcome() {
            let sealed = datagram.to_vec();
            self.watch[who].see(&sealed);
            self.wire.push((1 - who, self.hosts[who].path, sealed));
        }
    }

    /// Carries what each side wants to send, from where it is at home, until both are silent.
    fn carry(&mut self) {
        loop {
            (0..2).for_each(|who| self.drain(who));
            if self.wire.is_empty() {
                return;
            }
            for (who, _, mut bytes) in core::mem::take(&mut self.wire) {
                let (path, now) = (self.hosts[1 - who].path, self.clocks[who].now);
                let inbound = self.hosts[who].tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut bytes);
                #[cfg(feature = "control")]
                {
                    self.heard[who] += u32::from(matches!(inbound, Inbound::Control { .. }));
                }
                if let Inbound::Reply(reply) = inbound {
                    let reply = reply.to_vec();
                    self.launch(who, reply);
                }
            }
        }
    }
}
