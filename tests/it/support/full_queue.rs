//! A port at which nobody is let in.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A queue of connections that is full: who connects now is neither let in nor refused.
#[derive(Debug)]
pub(crate) struct FullQueue {
    /// Where it is, as the base URL of an API.
    pub(crate) url: String,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

impl FullQueue {
    pub(crate) fn new() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&any.into()).expect("bind a free port");
        listener.listen(0).expect("listen");
        let address = listener.local_addr().expect("its address");
        let connect = |_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("do not block");
            // It is under way; nobody minds when it ends.
            let _ = socket.connect(&address);
            socket
        };
        let url = format!("http://{}", address.as_socket().expect("an IP address"));
        Self {
            url,
            _waiting: (0..4).map(connect).collect(),
            _listener: listener,
        }
    }
}
