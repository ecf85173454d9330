use crate::algorithm::Algorithm;
use crate::checksum::crc32c;
use crate::error::Error;
use crate::v1::*;

/// A request of the contract, with its method. [`Client::call`](crate::Client::call) sends it.
///
/// MAC operations get their checksums from the client.
pub trait Request: sealed::Sealed + prost::Message + Clone + 'static {
    /// The response of the method.
    type Response: prost::Message + Default + 'static;

    /// The path of the method, for example `/hmacd.v1.MacService/GenerateMac`.
    const PATH: &'static str;

    /// Whether the client may retry the request.
    const REPEATABLE: bool;

    /// Checks the request before the call, and adds checksums.
    #[doc(hidden)]
    fn prepare(&mut self, _max_message_bytes: usize) -> Result<(), Error> {
        Ok(())
    }

    /// Whether the response is intact.
    #[doc(hidden)]
    fn is_intact(&self, _response: &Self::Response) -> bool {
        true
    }

    /// The length of the message in bytes.
    #[doc(hidden)]
    fn message_bytes(&self) -> usize {
        0
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Declares methods: `service { request => response, repeatable; ... }`.
macro_rules! methods {
    ($($service:literal { $($method:literal $request:ident => $response:ident, $repeatable:literal;)* })*) => {$($(
        impl sealed::Sealed for $request {}
        impl Request for $request {
            type Response = $response;
            const PATH: &'static str = concat!("/hmacd.v1.", $service, "/", $method);
            const REPEATABLE: bool = $repeatable;
        }
    )*)*};
}

methods! {
    "AccessKeyService" {
        "CreateAccessKey" CreateAccessKeyRequest => CreateAccessKeyResponse, false;
        "ListAccessKeys" ListAccessKeysRequest => ListAccessKeysResponse, true;
        "DisableAccessKey" DisableAccessKeyRequest => DisableAccessKeyResponse, false;
        "DeleteAccessKey" DeleteAccessKeyRequest => DeleteAccessKeyResponse, false;
    }
    "KeyService" {
        "CreateKey" CreateKeyRequest => CreateKeyResponse, false;
        "AdoptKey" AdoptKeyRequest => AdoptKeyResponse, false;
        "DescribeKey" DescribeKeyRequest => DescribeKeyResponse, true;
        "ListKeys" ListKeysRequest => ListKeysResponse, true;
        "CreateAlias" CreateAliasRequest => CreateAliasResponse, false;
        "UpdateAlias" UpdateAliasRequest => UpdateAliasResponse, false;
        "DeleteAlias" DeleteAliasRequest => DeleteAliasResponse, false;
        "ListAliases" ListAliasesRequest => ListAliasesResponse, true;
        "EnableKey" EnableKeyRequest => EnableKeyResponse, false;
        "DisableKey" DisableKeyRequest => DisableKeyResponse, false;
        "ScheduleKeyDeletion" ScheduleKeyDeletionRequest => ScheduleKeyDeletionResponse, false;
        "CancelKeyDeletion" CancelKeyDeletionRequest => CancelKeyDeletionResponse, false;
        "UpdateKeyDescription" UpdateKeyDescriptionRequest => UpdateKeyDescriptionResponse, false;
        "TagResource" TagResourceRequest => TagResourceResponse, false;
        "UntagResource" UntagResourceRequest => UntagResourceResponse, false;
        "ListResourceTags" ListResourceTagsRequest => ListResourceTagsResponse, true;
    }
}

fn check_message(message: &[u8], limit: usize) -> Result<(), Error> {
    match message.len() {
        0 => Err(Error::invalid("the message is empty")),
        size if size > limit => Err(Error::too_long(limit, size)),
        _ => Ok(()),
    }
}

impl sealed::Sealed for GenerateMacRequest {}
impl Request for GenerateMacRequest {
    type Response = GenerateMacResponse;
    const PATH: &'static str = "/hmacd.v1.MacService/GenerateMac";
    const REPEATABLE: bool = true;

    fn prepare(&mut self, max_message_bytes: usize) -> Result<(), Error> {
        check_message(&self.message, max_message_bytes)?;
        self.message_crc32c = Some(crc32c(&self.message));
        Ok(())
    }

    fn is_intact(&self, response: &GenerateMacResponse) -> bool {
        response.verified_message_crc32c
            && response.mac_crc32c == crc32c(&response.mac)
            && response.mac_algorithm == self.mac_algorithm
            && Algorithm::of(response.mac_algorithm())
                .is_some_and(|algorithm| algorithm.mac_bytes() == response.mac.len())
    }

    fn message_bytes(&self) -> usize {
        self.message.len()
    }
}

impl sealed::Sealed for VerifyMacRequest {}
impl Request for VerifyMacRequest {
    type Response = VerifyMacResponse;
    const PATH: &'static str = "/hmacd.v1.MacService/VerifyMac";
    const REPEATABLE: bool = true;

    fn prepare(&mut self, max_message_bytes: usize) -> Result<(), Error> {
        check_message(&self.message, max_message_bytes)?;
        if Algorithm::of(self.mac_algorithm()).is_some_and(|algorithm| algorithm.mac_bytes() != self.mac.len()) {
            return Err(Error::invalid_mac("the MAC has another length than that of the algorithm"));
        }
        self.message_crc32c = Some(crc32c(&self.message));
        self.mac_crc32c = Some(crc32c(&self.mac));
        Ok(())
    }

    fn is_intact(&self, response: &VerifyMacResponse) -> bool {
        response.mac_valid
            && response.verified_message_crc32c
            && response.verified_mac_crc32c
            && response.mac_algorithm == self.mac_algorithm
    }

    fn message_bytes(&self) -> usize {
        self.message.len()
    }
}

impl sealed::Sealed for GenerateRandomRequest {}
impl Request for GenerateRandomRequest {
    type Response = GenerateRandomResponse;
    const PATH: &'static str = "/hmacd.v1.RandomService/GenerateRandom";
    const REPEATABLE: bool = true;

    fn is_intact(&self, response: &GenerateRandomResponse) -> bool {
        response.plaintext_crc32c == crc32c(&response.plaintext)
            && usize::try_from(self.number_of_bytes) == Ok(response.plaintext.len())
    }
}
