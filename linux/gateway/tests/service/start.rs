//! What settings a service starts with.
use crate::place::{settings, starts};
use std::net::{IpAddr, Ipv4Addr};
use underpass_gateway::service::StartError;

#[test]
fn what_is_not_done_yet_is_no_start() {
    starts(&settings("")).expect("a service");
    let rule = "[[rule]]\nname = \"all\"\naction = \"deny\"\npeers = [\"laptop\"]\nto = [\"0.0.0.0/0\"]";
    let refused = starts(&settings(rule)).expect_err("nobody knows which laptop");
    let text = "the settings have rules for peers that are no sites, which the service does not do yet";
    assert_eq!(refused.to_string(), text);
    for (more, what) in [
        (
            "[[method]]\ngroups = [\"admins\"]\nfactors = [[\"challenge\", \"totp\"]]",
            "factors other than password, totp and certificate",
        ),
        ("[[pool]]\nnetwork = \"10.9.0.0/24\"\nsticky = false", "a pool that is not sticky"),
    ] {
        let refused = starts(&settings(more)).expect_err(what);
        assert!(matches!(refused, StartError::NotServed(found) if found == what), "{refused}");
    }
    let mut limited = settings("");
    (limited.session.quota, limited.session.rate) = (Some(1), Some(1));
    starts(&limited).expect("both are served");
    let mut keyless = settings("");
    keyless.sites[0].preshared_key_file = Some("/etc/underpass/lyon.psk".into());
    assert!(matches!(starts(&keyless), Err(StartError::Preshared(site)) if site.as_str() == "lyon"));
    let mut unmethodical = settings("");
    unmethodical.methods.clear();
    assert!(matches!(starts(&unmethodical), Err(StartError::NoMethod)));
    let mut talkative = settings("");
    talkative.push.dns = (0..9).map(|last| IpAddr::V4(Ipv4Addr::new(10, 1, 0, last))).collect();
    assert!(matches!(starts(&talkative), Err(StartError::Push(_))));
}
