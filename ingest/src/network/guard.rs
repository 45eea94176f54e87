//! [`Guard`]: whether an address may be connected to, asked before DNS, after it, and on every redirect.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::REDIRECTS_MAX;
use super::address;
use super::error::NetworkError;
use super::url::{is_localhost, printable};

/// The addresses of a name. May block; it is called on a thread where that is right.
pub type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The system's own way to resolve a name.
pub(super) fn system_lookup(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// Lets through what is public or allowed.
#[derive(Clone)]
pub(super) struct Guard {
    allow: Arc<[IpNet]>,
    lookup: Arc<Lookup>,
}

impl Guard {
    pub(super) fn new(allow: Vec<IpNet>, lookup: Arc<Lookup>) -> Self {
        Self { allow: allow.into(), lookup }
    }

    /// What can be said of an address before its name is resolved.
    pub(super) fn check(&self, url: &Url) -> Result<(), NetworkError> {
        let wrong = |what: &str| Err(NetworkError::Url(what.to_owned()));
        if !matches!(url.scheme(), "http" | "https") {
            return wrong(&format!("an address begins with https:// or http://, not {}:", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("the address holds credentials; they have keys of their own");
        }
        let Some(host) = url.host_str() else { return wrong("the address has no host") };
        // The parser has already turned every way to write an IPv4 address (octal, hexadecimal, one number) into one.
        match host.trim_matches(['[', ']']).parse() {
            Ok(address) => self.check_address(host, address),
            Err(_) if is_localhost(host) => self.check_address(host, Ipv4Addr::LOCALHOST.into()),
            Err(_) => Ok(()),
        }
    }

    /// Whether a redirect from `first` (where the request began) to `next` may be followed.
    pub(super) fn check_redirect(
        &self,
        first: &Url,
        next: &Url,
        has_credentials: bool,
        n_redirects: usize,
    ) -> Result<(), NetworkError> {
        if n_redirects > REDIRECTS_MAX {
            return Err(NetworkError::Redirects(REDIRECTS_MAX));
        }
        self.check(next)?;
        if first.origin() == next.origin() {
            return Ok(());
        }
        if has_credentials {
            return Err(NetworkError::OtherOrigin(next.host_str().unwrap_or("nowhere").to_owned()));
        }
        if first.scheme() == "https" && next.scheme() == "http" {
            return Err(NetworkError::Downgrade(printable(next)));
        }
        Ok(())
    }

    fn check_address(&self, host: &str, address: IpAddr) -> Result<(), NetworkError> {
        match address::forbidden(address, &self.allow) {
            None => Ok(()),
            Some(class) => Err(NetworkError::Address {
                host: host.to_owned(),
                address,
                class,
                entry: IpNet::from(address.to_canonical()),
            }),
        }
    }

    /// The addresses of a name, all of them allowed. The connection is made to one of exactly these, so nothing can change
    /// between the check and the use.
    fn resolve(&self, name: &str) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let addresses = (self.lookup)(name)?;
        for &address in &addresses {
            self.check_address(name, address)?;
        }
        Ok(sockets(addresses))
    }

    /// As the operator's own word (the proxy's name), so unchecked.
    pub(super) fn resolve_unchecked(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        (self.lookup)(name).map(sockets)
    }
}

/// Port 0 is replaced by the address's own.
fn sockets(addresses: Vec<IpAddr>) -> Vec<SocketAddr> {
    addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        blocking(move || Guard::resolve(&guard, name.as_str()))
    }
}

/// Runs a lookup on a thread that may block.
pub(super) fn blocking(
    lookup: impl FnOnce() -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
) -> Resolving {
    Box::pin(async move {
        let addresses = tokio::task::spawn_blocking(lookup).await??;
        Ok(Box::new(addresses.into_iter()) as Addrs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        let allow = allow.iter().map(|net| net.parse().expect("a network")).collect();
        // One name changes its mind at every question; the other has two addresses, one of them forbidden.
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let lookup = move |name: &str| -> io::Result<Vec<IpAddr>> {
            let public = IpAddr::from([1, 1, 1, 1]);
            let private = IpAddr::from([10, 0, 0, 1]);
            match name {
                "rebinding.example" => {
                    let n = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    Ok(vec![if n == 0 { public } else { private }])
                }
                "both.example" => Ok(vec![public, private]),
                _ => Err(io::Error::from(io::ErrorKind::NotFound)),
            }
        };
        Guard::new(allow, Arc::new(lookup))
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("an address")
    }

    #[test]
    fn a_literal_address_is_checked_however_it_is_written() {
        let guard = guard(&[]);
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "https://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::a00:1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://hub.localhost:8080/",
            "http://0/",
        ] {
            assert!(matches!(guard.check(&url(text)), Err(NetworkError::Address { .. })), "{text}");
        }
        for text in
            ["http://1.1.1.1/", "https://hub.example/", "http://localhost.example/", "https://[2606:4700::1]:8443/"]
        {
            assert_eq!(guard.check(&url(text)), Ok(()), "{text}");
        }
        for (text, part) in [("ftp://1.1.1.1/", "https://"), ("http://me:s3cret@hub.example/", "credentials")] {
            let error = guard.check(&url(text)).expect_err("refused").to_string();
            assert!(error.contains(part) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_error_says_which_entry_would_permit_it() {
        for (text, entry) in [
            ("http://10.1.2.3/", "\"10.1.2.3/32\""),
            ("http://[fd00::7]/", "\"fd00::7/128\""),
            ("http://[::ffff:10.1.2.3]/", "\"10.1.2.3/32\""),
        ] {
            let error = guard(&[]).check(&url(text)).expect_err("refused").to_string();
            assert!(error.contains(entry) && error.contains("[network]"), "{error}");
            assert_eq!(guard(&[entry.trim_matches('"')]).check(&url(text)), Ok(()));
        }
    }

    #[test]
    fn a_name_is_checked_at_every_resolution_and_by_each_of_its_addresses() {
        let guard = guard(&[]);
        assert!(guard.resolve("rebinding.example").is_ok());
        let error = guard.resolve("rebinding.example").expect_err("it leads elsewhere now").to_string();
        assert!(error.contains("10.0.0.1/32") && error.contains("rebinding.example"), "{error}");
        assert!(guard.resolve("both.example").is_err());
        assert!(self::guard(&["10.0.0.0/8"]).resolve("both.example").is_ok_and(|found| found.len() == 2));
        assert!(guard.resolve("absent.example").is_err());
    }

    #[test]
    fn redirects_keep_credentials_and_encryption() {
        let guard = guard(&[]);
        let check = |from: &str, to: &str, has_credentials: bool| {
            guard.check_redirect(&url(from), &url(to), has_credentials, 1)
        };
        assert_eq!(check("https://a.example/x", "https://a.example/y", true), Ok(()));
        assert_eq!(check("https://a.example", "https://b.example", false), Ok(()));
        assert_eq!(check("http://a.example", "https://a.example", false), Ok(()));
        for to in ["https://b.example", "https://a.example:8443", "http://a.example"] {
            assert!(matches!(check("https://a.example", to, true), Err(NetworkError::OtherOrigin(_))), "{to}");
        }
        assert!(matches!(check("https://a.example", "http://b.example", false), Err(NetworkError::Downgrade(_))));
        assert!(matches!(check("https://a.example", "http://10.0.0.1", false), Err(NetworkError::Address { .. })));
        let circle =
            guard.check_redirect(&url("https://a.example"), &url("https://a.example"), false, REDIRECTS_MAX + 1);
        assert_eq!(circle, Err(NetworkError::Redirects(REDIRECTS_MAX)));
    }
}
