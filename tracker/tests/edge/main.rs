//! The tracker over real sockets.

#[cfg(test)]
mod announce;
#[cfg(test)]
mod close;
#[cfg(test)]
mod connection;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod scrape;
#[cfg(test)]
mod server;
#[cfg(test)]
mod share;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod udp;
#[cfg(test)]
mod websocket;
