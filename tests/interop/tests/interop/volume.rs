//! A gigabyte, compared by hash.
use anyhow::Result;
use underpass_interop::scenery::{Pair, inside_right};
use underpass_interop::transfer::transfer;
use underpass_interop::{Implementation, Stage};

fn gigabyte(stage: &Stage, sender: Implementation, receiver: Implementation) -> Result<()> {
    let pair = Pair::new(stage, sender, receiver)?;
    let rate = transfer(&pair.wire.left, &pair.wire.right, inside_right(8000), 1 << 30)?;
    println!("{sender:?} to {receiver:?}: {:.0} Mbit/s", rate * 8.0 / 1e6);
    Ok(())
}
crate::for_every_pair!(gigabyte;
    underpass_to_underpass: Underpass, Underpass;
    underpass_to_go_newest: Underpass, GoNewest;
    go_newest_to_underpass: GoNewest, Underpass;
    underpass_to_go_debian: Underpass, GoDebian;
);

mod over_a_wire_that_loses {
    use super::*;
    /// One datagram in a hundred is lost in each direction; TCP inside notices, nothing else does.
    fn story(stage: &Stage, sender: Implementation, receiver: Implementation) -> Result<()> {
        let pair = Pair::new(stage, sender, receiver)?;
        pair.ping()?;
        for machine in [&pair.wire.left, &pair.wire.right] {
            machine.nft(
                "table netdev lossy {
                    chain ingress {
                        type filter hook ingress device eth0 priority 0; policy accept;
                        udp length >= 0 numgen random mod 100 < 1 drop
                    }
                }",
            )?;
        }
        transfer(&pair.wire.left, &pair.wire.right, inside_right(8000), 20 << 20).map(drop)
    }
    crate::for_every_pair!(story;
        underpass_to_underpass: Underpass, Underpass;
        underpass_to_go_newest: Underpass, GoNewest;
        go_newest_to_underpass: GoNewest, Underpass;
    );
}
