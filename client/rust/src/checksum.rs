use crc::{CRC_32_ISCSI, Crc, Table};

/// CRC32C, the CRC of iSCSI (RFC 3720), with a table of 16 KiB.
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

pub(crate) fn crc32c(data: &[u8]) -> u32 {
    CRC32C.checksum(data)
}
