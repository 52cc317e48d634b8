//! A connection to one broker, for the few requests that librdkafka's binding has no call for: access lists.
//!
//! One request, one answer, under the settings that librdkafka gets as well. The forms are the `kafka-protocol` crate's.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::{
    ApiVersionsRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslStream};
use openssl::x509::store::X509StoreBuilder;

use super::scram::Scram;
use super::settings::{KafkaSettings, ScramMechanism, Tls, secret};
use crate::log::LogError;

/// A broker that accepted us.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    client_id: String,
    requests: i32,
}

trait Stream: Read + Write + Send {}
impl Stream for TcpStream {}
impl Stream for SslStream<TcpStream> {}

const CONNECTING: &str = "connecting";
const TLS_FAILED: &str = "connecting: TLS failed: look at the CA, the certificate and the broker's name";
/// A broker of whom we ask for less protection than it wants just closes the connection.
const NO_ANSWER: &str = "connecting: no broker answers; if one runs there, it may want TLS or SASL";
const UNREADABLE: &str = "the broker's answer cannot be read: it may be too old, or no Kafka";

/// Answers are small; a larger one is something else that happens to listen there.
const LARGEST_ANSWER: usize = 64 << 20;

impl Wire {
    /// Connects to the first broker of the list that answers.
    pub(super) fn connect(settings: &KafkaSettings) -> Result<Self, LogError> {
        let mut outcome = Err(LogError::Retriable(NO_ANSWER.into()));
        for address in settings.bootstrap.split(',') {
            outcome = Self::connect_to(settings, address.trim());
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Connects to one broker, `host:port`.
    pub(super) fn connect_to(settings: &KafkaSettings, address: &str) -> Result<Self, LogError> {
        let (host, tcp) = dial(address, settings.call_timeout)?;
        let stream: Box<dyn Stream> = match &settings.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let connector = connector(tls)?;
                let stream = connector.connect(host, tcp).map_err(|_| LogError::Fatal(TLS_FAILED.into()))?;
                Box::new(stream)
            }
        };
        let mut wire = Self { stream, client_id: settings.client_id(), requests: 0 };
        if let Some(scram) = &settings.scram {
            wire.authenticate(scram.mechanism, &scram.username, &secret(&scram.password_file)?)?;
        }
        // A broker may let us in and close the door at our first word, as where it misses our certificate.
        wire.call(&ApiVersionsRequest::default(), 0)?;
        Ok(wire)
    }

    /// Sends one request and waits for its answer.
    pub(super) fn call<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, LogError> {
        self.requests += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.requests)
            .with_client_id(Some(StrBytes::from_string(self.client_id.clone())));
        let unsendable = |_| LogError::Fatal("a request cannot be put into the broker's form".into());
        let mut frame = vec![0; 4];
        header.encode(&mut frame, R::header_version(version)).map_err(unsendable)?;
        request.encode(&mut frame, version).map_err(unsendable)?;
        let length = u32::try_from(frame.len() - 4).map_err(|_| LogError::Fatal("a request is too large".into()))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        let answer = self.exchange(&frame).map_err(|error| not_answered(&error))?;
        let mut answer = answer.as_slice();
        let unreadable = |_| LogError::Fatal(UNREADABLE.into());
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version)).map_err(unreadable)?;
        if header.correlation_id != self.requests {
            return Err(LogError::Fatal(UNREADABLE.into()));
        }
        R::Response::decode(&mut answer, version).map_err(unreadable)
    }

    fn exchange(&mut self, frame: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(frame)?;
        self.stream.flush()?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > LARGEST_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    fn authenticate(&mut self, mechanism: ScramMechanism, username: &str, password: &str) -> Result<(), LogError> {
        let name = mechanism.name();
        let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(name));
        if self.call(&handshake, 1)?.error_code.is_err() {
            return Err(LogError::Denied(format!("{CONNECTING}: the broker does not take {name}")));
        }
        let refused = || LogError::Denied(format!("{CONNECTING}: the broker refused our credentials"));
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).expect("the operating system has random numbers");
        let scram = Scram::new(mechanism, username, BASE64_STANDARD_NO_PAD.encode(nonce));
        let answer = self.say(&scram.first())?;
        let answer = String::from_utf8(answer.auth_bytes.to_vec()).map_err(|_| refused())?;
        let proof = scram.answer(&answer, password).ok_or_else(refused)?;
        let answer = self.say(&proof.message)?;
        let answer = String::from_utf8(answer.auth_bytes.to_vec()).map_err(|_| refused())?;
        if !proof.is_answered_by(&answer) {
            return Err(LogError::Denied(format!("{CONNECTING}: who answers does not know our password")));
        }
        Ok(())
    }

    fn say(&mut self, message: &str) -> Result<SaslAuthenticateResponse, LogError> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message.as_bytes().to_vec().into());
        let answer = self.call(&request, 2)?;
        if answer.error_code.is_err() {
            return Err(LogError::Denied(format!("{CONNECTING}: the broker refused our credentials")));
        }
        Ok(answer)
    }
}

fn dial(address: &str, timeout: Duration) -> Result<(&str, TcpStream), LogError> {
    let no_address = || LogError::Fatal("kafka.bootstrap: write host:port, several separated by commas".into());
    let (host, port) = address.rsplit_once(':').ok_or_else(no_address)?;
    let port: u16 = port.parse().map_err(|_| no_address())?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let unreachable = |_: io::Error| LogError::Retriable(NO_ANSWER.into());
    let mut outcome = Err(LogError::Retriable(NO_ANSWER.into()));
    for address in (host, port).to_socket_addrs().map_err(unreachable)? {
        outcome = TcpStream::connect_timeout(&address, timeout).map_err(unreachable);
        if outcome.is_ok() {
            break;
        }
    }
    let stream = outcome?;
    stream.set_read_timeout(Some(timeout)).map_err(unreachable)?;
    stream.set_write_timeout(Some(timeout)).map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok((host, stream))
}

/// TLS as librdkafka is told to do it; brokers' names are always checked.
fn connector(tls: &Tls) -> Result<SslConnector, LogError> {
    let refused = |_: ErrorStack| LogError::Fatal("TLS: a certificate or key cannot be used; PEM is expected".into());
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(refused)?;
    // Nobody but whom the settings name.
    builder.set_cert_store(X509StoreBuilder::new().map_err(refused)?.build());
    let authorities = tls.ca_file.clone().or_else(|| openssl_probe::probe().cert_file);
    if let Some(file) = authorities {
        builder.set_ca_file(file).map_err(refused)?;
    }
    if let Some(client) = &tls.client {
        builder.set_certificate_chain_file(&client.certificate_file).map_err(refused)?;
        let pem = secret(&client.key_file)?;
        let key = match &client.key_password_file {
            Some(password) => PKey::private_key_from_pem_passphrase(pem.as_bytes(), secret(password)?.as_bytes()),
            None => PKey::private_key_from_pem(pem.as_bytes()),
        };
        builder.set_private_key(&*key.map_err(refused)?).map_err(refused)?;
    }
    Ok(builder.build())
}

/// A broker that does not like our certificate says so only after its own half of the handshake.
fn not_answered(error: &io::Error) -> LogError {
    let inner = error.get_ref().and_then(|inner| (inner as &dyn Error).downcast_ref::<openssl::ssl::Error>());
    match inner.filter(|inner| inner.ssl_error().is_some()) {
        Some(_) => LogError::Fatal(TLS_FAILED.into()),
        None => LogError::Retriable(NO_ANSWER.into()),
    }
}
