use super::*;

fn addresses(base: &str, allow_private: bool) -> Arc<Addresses> {
    let source = Source::of_shape("test", base).unwrap();
    Addresses::new(&Source {
        allow_private,
        ..source
    })
}

fn found(addresses: &[&str]) -> Vec<SocketAddr> {
    let at = |address: &&str| SocketAddr::new(address.parse().unwrap(), 80);
    addresses.iter().map(at).collect()
}

#[test]
fn an_address_is_public_or_it_is_not() {
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "169.253.0.1",
        "192.0.1.1",
        "192.167.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "2001:200::1",
        "3fff:1000::1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ];
    let other = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::1.1.1.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1.1.1.1",
        "100::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:101:101::1",
        "3fff:fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ffff::1",
    ];
    let cases = public.map(|address| (address, true)).into_iter();
    for (address, expected) in cases.chain(other.map(|address| (address, false))) {
        assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
    }
}

#[test]
fn an_address_in_a_url_is_checked_in_whatever_form_it_is_written() {
    let urls = [
        "http://127.0.0.1:8080/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://0/",
        "http://\u{ff11}27.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
    ];
    for url in urls {
        let url = Url::parse(url).unwrap();
        for base in ["https://api.test", "https://8.8.8.8"] {
            assert!(addresses(base, false).check(&url).is_err(), "{url}");
            assert_eq!(addresses(base, true).check(&url), Ok(()), "{url}");
        }
        for base in ["http://192.168.1.5", "http://[::1]:8080"] {
            assert_eq!(addresses(base, false).check(&url), Ok(()), "{url}");
        }
    }
    let public = Url::parse("http://8.8.4.4/").unwrap();
    assert_eq!(addresses("https://api.test", false).check(&public), Ok(()));
}

#[test]
fn what_a_name_resolves_to_is_checked_by_what_the_base_url_is() {
    let public = found(&["8.8.8.8"]);
    let private = found(&["10.0.0.1", "127.0.0.1"]);
    let both = found(&["10.0.0.1", "8.8.8.8"]);

    let internet = addresses("https://api.test", false);
    assert_eq!(internet.admit("api.test", &public), Ok(public.clone()));
    assert_eq!(internet.admit("evil.test", &both), Ok(public.clone()));
    let error = internet.admit("evil.test", &private).unwrap_err();
    assert_eq!(
        error.to_string(),
        "evil.test is 10.0.0.1, on this machine or a private network, which the source's base URL is not"
    );
    // A name that is bound to another address later.
    assert!(internet.admit("API.test", &private).is_err());

    let intranet = addresses("https://wiki.test", false);
    assert_eq!(intranet.admit("wiki.test", &private), Ok(private.clone()));
    assert_eq!(intranet.admit("files.test", &private), Ok(private.clone()));
    let url = Url::parse("http://192.168.0.1/").unwrap();
    assert_eq!(intranet.check(&url), Ok(()));

    let allowed = addresses("https://api.test", true);
    assert_eq!(allowed.admit("evil.test", &private), Ok(private.clone()));
    assert_eq!(allowed.admit("api.test", &[]), Ok(Vec::new()));
}

#[test]
fn the_base_url_is_resolved_first_where_something_hangs_on_it() {
    let private = found(&["10.0.0.1"]);
    let addresses = addresses("https://wiki.test", false);
    assert!(!addresses.wants_base("files.test", &found(&["8.8.8.8"])));
    assert!(!addresses.wants_base("wiki.test", &private));
    // A run that is resumed may begin elsewhere.
    assert!(addresses.wants_base("files.test", &private));
    addresses.learn(&private);
    assert!(!addresses.wants_base("files.test", &private));
    assert_eq!(addresses.admit("files.test", &private), Ok(private));
}
