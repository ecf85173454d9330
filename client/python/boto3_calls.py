"""Makes the calls of client/aws/cases.py with boto3."""

import base64
import functools
import json
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError


@functools.cache
def connect(key_id=None, secret=None):
    # Without validation in boto3, so that invalid requests reach the daemon.
    config = Config(parameter_validation=False)
    return boto3.client("kms", config=config, aws_access_key_id=key_id, aws_secret_access_key=secret)


def make(call, input, credentials, pages):
    kms = connect(*credentials or ())
    members = kms.meta.service_model.operation_model(call).input_shape.members
    arguments = {
        name: base64.b64decode(value, validate=True) if members[name].type_name == "blob" else value
        for name, value in input.items()
    }
    if pages:
        paginator = kms.get_paginator(xform_name(call))
        return paginator.paginate(**arguments, PaginationConfig={"PageSize": 1}).build_full_result()
    answer = getattr(kms, xform_name(call))(**arguments)
    del answer["ResponseMetadata"]
    return answer


def outcome(call):
    try:
        return {"answer": make(**call)}
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return {"error": code, "status": status, "message": message or None}  # boto3 has "" for an absent text.
    except Exception as fault:
        return {"fault": repr(fault)}


def plain(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


for line in sys.stdin:
    print(json.dumps(outcome(json.loads(line)), default=plain), flush=True)
