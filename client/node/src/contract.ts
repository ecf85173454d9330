/** The services and messages of `proto/hmacd/v1`. */
export * from './gen/hmacd/v1/access_key_service_pb.js';
export * from './gen/hmacd/v1/error_reason_pb.js';
export * from './gen/hmacd/v1/key_metadata_pb.js';
export * from './gen/hmacd/v1/key_service_pb.js';
export * from './gen/hmacd/v1/key_spec_pb.js';
export * from './gen/hmacd/v1/mac_algorithm_pb.js';
export * from './gen/hmacd/v1/mac_service_pb.js';
export * from './gen/hmacd/v1/random_service_pb.js';
