//! A bucket of an object store that speaks S3's protocol.
//!
//! `rusty-s3` makes and signs the requests; the program's own client sends them.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use tokio::runtime::{self, Runtime};

use super::target::Target;
use crate::base::error::{Error, Result};
use crate::outgoing::{Client, Endpoint, Guard, Limits, Response, Sent, Trust};

/// How long a signature holds: longer than a request may take.
const SIGNED_FOR: Duration = Duration::from_secs(900);
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(10),
    timeout: Duration::from_secs(300),
    body_bytes_max: 2 << 30,
};
/// How often what failed for a moment is asked again, and how long to wait before.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// How much of a refusal is told.
const TOLD_BYTES_MAX: usize = 300;

/// What is known of a bucket beside its name. None of it is a flag: other users of the machine can
/// read those.
pub(crate) struct Access {
    /// `https://s3.eu-central-1.amazonaws.com` and its like; `None` is Amazon's for the region.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) credentials: Credentials,
}

impl Access {
    /// What the variables say that every program for S3 reads: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, and `AWS_ENDPOINT_URL` for a store
    /// that is not Amazon's.
    ///
    /// # Errors
    /// `Invalid` when there are no credentials.
    pub(crate) fn from_environment() -> Result<Self> {
        let credentials = Credentials::from_env().ok_or_else(|| {
            Error::invalid(
                "a backup in S3 needs the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        })?;
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let region = variable("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
        Ok(Self { endpoint: variable("AWS_ENDPOINT_URL"), region, credentials })
    }
}

/// Objects under a prefix of a bucket.
pub(crate) struct S3 {
    name: String,
    bucket: Bucket,
    /// Empty, or ends with a slash.
    prefix: String,
    credentials: Credentials,
    client: Client,
    runtime: Runtime,
}

impl S3 {
    /// The bucket and prefix of `s3://BUCKET/PREFIX`.
    ///
    /// # Errors
    /// `Invalid` when it or the endpoint is of another form, `Unavailable` when the system gives no
    /// runtime.
    pub(crate) fn new(url: &str, access: Access) -> Result<Self> {
        let wrong =
            || Error::invalid(format!("{url:?} must be s3://BUCKET, or s3://BUCKET/PREFIX"));
        let path = url.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let prefix = prefix.trim_end_matches('/');
        if bucket.is_empty() || prefix.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(wrong());
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let Access { endpoint, region, credentials } = access;
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let host = Endpoint::parse(&endpoint)?.host().to_owned();
        let parsed = endpoint
            .parse()
            .map_err(|_| Error::invalid("AWS_ENDPOINT_URL is no URL of a store"))?;
        // In the path: a name before the host needs a certificate and a name of its own for each.
        let bucket = Bucket::new(parsed, UrlStyle::Path, bucket.to_owned(), region)
            .map_err(|error| Error::invalid(format!("{url:?} cannot be a bucket: {error}")))?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| Error::io("starting a runtime", cause))?;
        // Whoever set it meant that host, also where it is in the same network.
        let client = Client::new(Guard::new([host]), Trust::new(None)?, LIMITS);
        Ok(Self { name: url.to_owned(), bucket, prefix, credentials, client, runtime })
    }

    /// Sends a request until it is answered, or has failed too often.
    fn send(&self, method: &Method, url: &str, body: &Bytes) -> Result<Response> {
        let endpoint = Endpoint::parse(url)?;
        let mut pauses = PAUSES.iter();
        loop {
            let sent =
                Sent { method: method.clone(), headers: HeaderMap::new(), body: body.clone() };
            let answered = self.runtime.block_on(self.client.send(&endpoint, sent));
            let failed = match answered {
                Ok(response) if response.status.is_server_error() => self.refused(&response),
                Ok(response) if response.is_cut => self.failed("the answer broke off"),
                Ok(response) => return Ok(response),
                Err(error) => self.failed(&error.to_string()),
            };
            match pauses.next() {
                Some(pause) => std::thread::sleep(*pause),
                None => return Err(failed),
            }
        }
    }

    fn failed(&self, what: &str) -> Error {
        Error::unavailable(format!("{}: {what}", self.name))
    }

    /// An answer that is not what was asked for. It tells what is wrong, and no secret.
    fn refused(&self, response: &Response) -> Error {
        let told = &response.body[..response.body.len().min(TOLD_BYTES_MAX)];
        let told = String::from_utf8_lossy(told);
        self.failed(&format!("the store answered {}: {}", response.status, told.trim()))
    }

    fn object(&self, object: &str) -> String {
        format!("{}{object}", self.prefix)
    }
}

impl Target for S3 {
    fn name(&self) -> &str {
        &self.name
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let (mut names, mut next) = (Vec::new(), None::<String>);
        loop {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(self.object(prefix));
            if let Some(token) = next {
                action.with_continuation_token(token);
            }
            let url = action.sign(SIGNED_FOR);
            let response = self.send(&Method::GET, url.as_str(), &Bytes::new())?;
            if response.status != StatusCode::OK {
                return Err(self.refused(&response));
            }
            let text = String::from_utf8_lossy(&response.body);
            let listed = ListObjectsV2::parse_response(&text)
                .map_err(|error| self.failed(&format!("a list that cannot be read: {error}")))?;
            let keys = listed.contents.into_iter().map(|object| object.key);
            names.extend(keys.filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned)));
            next = listed.next_continuation_token;
            if next.is_none() {
                return Ok(names);
            }
        }
    }

    fn get(&self, object: &str) -> Result<Option<Vec<u8>>> {
        let object = self.object(object);
        let url = self.bucket.get_object(Some(&self.credentials), &object).sign(SIGNED_FOR);
        let response = self.send(&Method::GET, url.as_str(), &Bytes::new())?;
        match response.status {
            StatusCode::OK => Ok(Some(response.body.to_vec())),
            StatusCode::NOT_FOUND if !names_bucket(&response) => Ok(None),
            _ => Err(self.refused(&response)),
        }
    }

    fn put(&self, object: &str, content: &[u8]) -> Result<()> {
        let object = self.object(object);
        let url = self.bucket.put_object(Some(&self.credentials), &object).sign(SIGNED_FOR);
        let content = Bytes::copy_from_slice(content);
        let response = self.send(&Method::PUT, url.as_str(), &content)?;
        match response.status.is_success() {
            true => Ok(()),
            false => Err(self.refused(&response)),
        }
    }

    fn delete(&self, object: &str) -> Result<()> {
        let object = self.object(object);
        let url = self.bucket.delete_object(Some(&self.credentials), &object).sign(SIGNED_FOR);
        let response = self.send(&Method::DELETE, url.as_str(), &Bytes::new())?;
        match response.status.is_success() || response.status == StatusCode::NOT_FOUND {
            true => Ok(()),
            false => Err(self.refused(&response)),
        }
    }
}

/// Whether it is the bucket that is not there: nothing is found in it then, and nothing must be
/// taken for missing.
fn names_bucket(response: &Response) -> bool {
    response.body.windows(b"NoSuchBucket".len()).any(|words| words == b"NoSuchBucket")
}
