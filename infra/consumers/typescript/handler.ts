/**
 * A Lambda function that takes Clipqueue's events: copy it with events.ts, and
 * put your own work into the four functions in its middle.
 *
 * It needs a DynamoDB table with the string key event_id and the TTL attribute
 * expires_at, named in the environment variable SEEN_TABLE, and the actions
 * dynamodb:GetItem and dynamodb:PutItem on it. The SDK is part of Lambda's Node.
 */
import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";

import type {
  ClipqueueEvent,
  VideoGenerationCompleted,
  VideoGenerationExpired,
  VideoGenerationFailed,
  VideoGenerationRejected,
} from "./events";

const db = new DynamoDBClient({});
const seenTable = process.env["SEEN_TABLE"];

/** How long a repeat is recognised: as long as Clipqueue's record of a job lives. */
const rememberSeconds = 45 * 24 * 3600;

export async function handler(event: ClipqueueEvent): Promise<string> {
  const did = await take(event);
  console.log(JSON.stringify({ did, job_id: event.detail.metadata.job_id }));
  return did;
}

/**
 * Says what it did with an event. After an error Lambda hands the event in
 * again: it is remembered only once the work is done, so that none is lost.
 */
async function take(event: ClipqueueEvent): Promise<string> {
  const about = event.detail.metadata;
  const work = workOn(event);
  if (!work || about.sample || !about.schema_version.startsWith("1.")) {
    return "ignored";
  }
  if (await hasSeen(about.event_id)) {
    return "repeat";
  }
  const did = await work();
  await remember(about.event_id);
  return did;
}

function workOn(event: ClipqueueEvent): (() => Promise<string>) | undefined {
  switch (event["detail-type"]) {
    case "Video Generation Completed":
      return () => completed(event);
    case "Video Generation Failed":
      return () => failed(event);
    case "Video Generation Rejected":
      return () => rejected(event);
    case "Video Generation Expired":
      return () => expired(event);
    default:
      return undefined;
  }
}

// The work, which can be done twice if remembering fails, or if the same event
// comes twice at the same moment.

async function completed(event: VideoGenerationCompleted): Promise<string> {
  const clip = event.detail.data;
  if (clip.output_url === null) {
    return `made, without a link: ${clip.output_url_problem ?? ""}`;
  }
  return `made: ${clip.output_url}`;
}

async function failed(event: VideoGenerationFailed): Promise<string> {
  return `failed: ${event.detail.data.error_message}`;
}

async function rejected(event: VideoGenerationRejected): Promise<string> {
  const refusal = event.detail.data;
  return `rejected, ${refusal.code}: ${refusal.message}`;
}

/** A verdict of the vendor's may still follow. */
async function expired(event: VideoGenerationExpired): Promise<string> {
  const expiry = event.detail.data;
  return expiry.may_be_charged ? `expired, perhaps paid for: ${expiry.message}` : `expired: ${expiry.message}`;
}

async function hasSeen(eventId: string): Promise<boolean> {
  const found = await db.send(
    new GetItemCommand({ TableName: seenTable, Key: { event_id: { S: eventId } }, ConsistentRead: true }),
  );
  return found.Item !== undefined;
}

async function remember(eventId: string): Promise<void> {
  const until = Math.floor(Date.now() / 1000) + rememberSeconds;
  await db.send(
    new PutItemCommand({ TableName: seenTable, Item: { event_id: { S: eventId }, expires_at: { N: String(until) } } }),
  );
}
