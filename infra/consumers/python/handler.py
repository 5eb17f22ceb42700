"""A Lambda function that takes Clipqueue's events: copy it, and put your own
work into the four functions in its middle.

It needs a DynamoDB table with the string key event_id and the TTL attribute
expires_at, named in the environment variable SEEN_TABLE, and the actions
dynamodb:GetItem and dynamodb:PutItem on it. boto3 is part of Lambda's Python.
"""

import json
import os
import time

import boto3

DB = boto3.client("dynamodb")
SEEN_TABLE = os.environ["SEEN_TABLE"]

# How long a repeat is recognised: as long as Clipqueue's record of a job lives.
REMEMBER_SECONDS = 45 * 24 * 3600


def handler(event, context):
    did = take(event)
    print(json.dumps({"did": did, "job_id": event["detail"]["metadata"]["job_id"]}))
    return did


def take(event):
    """Say what was done with an event.

    After an error Lambda hands the event in again: it is remembered only once
    the work is done, so that none is lost.
    """
    about, data = event["detail"]["metadata"], event["detail"]["data"]
    work = VERDICTS.get(event["detail-type"])
    if work is None or about.get("sample") or not about["schema_version"].startswith("1."):
        return "ignored"
    if has_seen(about["event_id"]):
        return "repeat"
    did = work(about, data)
    remember(about["event_id"])
    return did


# The work, which can be done twice if remembering fails, or if the same event
# comes twice at the same moment.


def completed(about, clip):
    if clip["output_url"] is None:
        return f"made, without a link: {clip.get('output_url_problem', '')}"
    return f"made: {clip['output_url']}"


def failed(about, failure):
    return f"failed: {failure['error_message']}"


def rejected(about, refusal):
    return f"rejected, {refusal['code']}: {refusal['message']}"


def expired(about, expiry):
    """A verdict of the vendor's may still follow."""
    if expiry["may_be_charged"]:
        return f"expired, perhaps paid for: {expiry['message']}"
    return f"expired: {expiry['message']}"


VERDICTS = {
    "Video Generation Completed": completed,
    "Video Generation Failed": failed,
    "Video Generation Rejected": rejected,
    "Video Generation Expired": expired,
}


def has_seen(event_id):
    key = {"event_id": {"S": event_id}}
    return "Item" in DB.get_item(TableName=SEEN_TABLE, Key=key, ConsistentRead=True)


def remember(event_id):
    until = int(time.time()) + REMEMBER_SECONDS
    item = {"event_id": {"S": event_id}, "expires_at": {"N": str(until)}}
    DB.put_item(TableName=SEEN_TABLE, Item=item)
