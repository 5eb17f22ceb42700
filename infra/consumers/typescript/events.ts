// Made from events/schema by go test ./infra -run TestDocs -update.

/**
 * What comes out on the bus.
 */
export type ClipqueueEvent =
  | VideoGenerationAccepted
  | VideoGenerationCompleted
  | VideoGenerationFailed
  | VideoGenerationRejected
  | VideoGenerationExpired
  | VideoArchived
  | VideoArchiveFailed;

/**
 * Accepted says that the vendor has taken the prompt and is working on it.
 */
export interface VideoGenerationAccepted {
  /**
   * version is EventBridge's own, "0".
   */
  version: string;
  /**
   * id is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
   */
  id: string;
  /**
   * detail-type is the kind of the event, and says what detail.data holds.
   */
  "detail-type": "Video Generation Accepted";
  /**
   * source is "clipqueue".
   */
  source: "clipqueue";
  /**
   * account is the AWS account that the bus is in, 12 digits.
   */
  account: string;
  /**
   * time is when it happened, to the second.
   */
  time: string;
  /**
   * region is the AWS region that the bus is in.
   */
  region: string;
  /**
   * resources is empty.
   */
  resources: string[];
  /**
   * detail is what Clipqueue says.
   */
  detail: {
    /**
     * metadata says which event this is, and of which job.
     */
    metadata: {
      /**
       * event_id is the same each time this event is delivered: <job_id>:<created_at>:<version>.
       */
      event_id: string;
      /**
       * schema_version is the version of this shape, "major.minor".
       */
      schema_version: string;
      /**
       * occurred_at is when it happened, not when it was sent.
       */
      occurred_at: string;
      /**
       * job_id is the producer's key, or the SQS message id where there was none.
       */
      job_id: string;
      /**
       * job_version counts the job's transitions; a later event of a job has a higher one.
       */
      job_version: number;
      /**
       * sample is true in events made by hand to try a consumer.
       */
      sample?: boolean;
      [k: string]: unknown;
    };
    /**
     * data says what happened.
     */
    data: {
      /**
       * generation_id is the vendor's id of the work.
       */
      generation_id: string;
      /**
       * model is what was asked for.
       */
      model: string;
      /**
       * model_actual is the provider that the vendor chose.
       */
      model_actual?: string;
      /**
       * credits is what the vendor says it charges; null where it did not say.
       */
      credits: number | null;
      /**
       * failover_used says whether a fallback provider was used; null where the vendor did not say.
       */
      failover_used: boolean | null;
      /**
       * metadata is the caller's own, untouched.
       */
      metadata: {
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * Completed says that the video is made.
 */
export interface VideoGenerationCompleted {
  /**
   * version is EventBridge's own, "0".
   */
  version: string;
  /**
   * id is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
   */
  id: string;
  /**
   * detail-type is the kind of the event, and says what detail.data holds.
   */
  "detail-type": "Video Generation Completed";
  /**
   * source is "clipqueue".
   */
  source: "clipqueue";
  /**
   * account is the AWS account that the bus is in, 12 digits.
   */
  account: string;
  /**
   * time is when it happened, to the second.
   */
  time: string;
  /**
   * region is the AWS region that the bus is in.
   */
  region: string;
  /**
   * resources is empty.
   */
  resources: string[];
  /**
   * detail is what Clipqueue says.
   */
  detail: {
    /**
     * metadata says which event this is, and of which job.
     */
    metadata: {
      /**
       * event_id is the same each time this event is delivered: <job_id>:<created_at>:<version>.
       */
      event_id: string;
      /**
       * schema_version is the version of this shape, "major.minor".
       */
      schema_version: string;
      /**
       * occurred_at is when it happened, not when it was sent.
       */
      occurred_at: string;
      /**
       * job_id is the producer's key, or the SQS message id where there was none.
       */
      job_id: string;
      /**
       * job_version counts the job's transitions; a later event of a job has a higher one.
       */
      job_version: number;
      /**
       * sample is true in events made by hand to try a consumer.
       */
      sample?: boolean;
      [k: string]: unknown;
    };
    /**
     * data says what happened.
     */
    data: {
      /**
       * generation_id is the vendor's id of the work.
       */
      generation_id: string;
      /**
       * model is what was asked for.
       */
      model: string;
      /**
       * model_actual is the provider that made it.
       */
      model_actual?: string;
      /**
       * output_url is the vendor's link to the video, exactly as it was given; null where there was none.
       */
      output_url: string | null;
      /**
       * output_url_problem says why output_url cannot be downloaded, where it cannot.
       */
      output_url_problem?: string;
      /**
       * credits is what the vendor says it charged; null where it did not say.
       */
      credits: number | null;
      /**
       * failover_used says whether a fallback provider was used; null where the vendor did not say.
       */
      failover_used: boolean | null;
      /**
       * completed_at is the vendor's own time, as it wrote it.
       */
      completed_at?: string;
      /**
       * via is how the verdict came. "callback" is the vendor's signed callback. "poll" is our own question to the vendor.
       */
      via: "callback" | "poll";
      /**
       * metadata is the caller's own, untouched.
       */
      metadata: {
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * Failed says that the vendor took the prompt and could not make the video.
 */
export interface VideoGenerationFailed {
  /**
   * version is EventBridge's own, "0".
   */
  version: string;
  /**
   * id is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
   */
  id: string;
  /**
   * detail-type is the kind of the event, and says what detail.data holds.
   */
  "detail-type": "Video Generation Failed";
  /**
   * source is "clipqueue".
   */
  source: "clipqueue";
  /**
   * account is the AWS account that the bus is in, 12 digits.
   */
  account: string;
  /**
   * time is when it happened, to the second.
   */
  time: string;
  /**
   * region is the AWS region that the bus is in.
   */
  region: string;
  /**
   * resources is empty.
   */
  resources: string[];
  /**
   * detail is what Clipqueue says.
   */
  detail: {
    /**
     * metadata says which event this is, and of which job.
     */
    metadata: {
      /**
       * event_id is the same each time this event is delivered: <job_id>:<created_at>:<version>.
       */
      event_id: string;
      /**
       * schema_version is the version of this shape, "major.minor".
       */
      schema_version: string;
      /**
       * occurred_at is when it happened, not when it was sent.
       */
      occurred_at: string;
      /**
       * job_id is the producer's key, or the SQS message id where there was none.
       */
      job_id: string;
      /**
       * job_version counts the job's transitions; a later event of a job has a higher one.
       */
      job_version: number;
      /**
       * sample is true in events made by hand to try a consumer.
       */
      sample?: boolean;
      [k: string]: unknown;
    };
    /**
     * data says what happened.
     */
    data: {
      /**
       * generation_id is the vendor's id of the work.
       */
      generation_id: string;
      /**
       * model is what was asked for.
       */
      model: string;
      /**
       * model_actual is the provider that tried.
       */
      model_actual?: string;
      /**
       * error_message is the vendor's reason; cut, and ending in "… (cut)", when very long.
       */
      error_message: string;
      /**
       * credits is what the vendor says it charged; null where it did not say.
       */
      credits: number | null;
      /**
       * failover_used says whether a fallback provider was used; null where the vendor did not say.
       */
      failover_used: boolean | null;
      /**
       * completed_at is the vendor's own time, as it wrote it.
       */
      completed_at?: string;
      /**
       * via is how the verdict came. "callback" is the vendor's signed callback. "poll" is our own question to the vendor.
       */
      via: "callback" | "poll";
      /**
       * metadata is the caller's own, untouched.
       */
      metadata: {
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * Rejected says that a message, or its prompt, was refused: nothing was made and nothing is owed.
 */
export interface VideoGenerationRejected {
  /**
   * version is EventBridge's own, "0".
   */
  version: string;
  /**
   * id is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
   */
  id: string;
  /**
   * detail-type is the kind of the event, and says what detail.data holds.
   */
  "detail-type": "Video Generation Rejected";
  /**
   * source is "clipqueue".
   */
  source: "clipqueue";
  /**
   * account is the AWS account that the bus is in, 12 digits.
   */
  account: string;
  /**
   * time is when it happened, to the second.
   */
  time: string;
  /**
   * region is the AWS region that the bus is in.
   */
  region: string;
  /**
   * resources is empty.
   */
  resources: string[];
  /**
   * detail is what Clipqueue says.
   */
  detail: {
    /**
     * metadata says which event this is, and of which job.
     */
    metadata: {
      /**
       * event_id is the same each time this event is delivered: <job_id>:<created_at>:<version>.
       */
      event_id: string;
      /**
       * schema_version is the version of this shape, "major.minor".
       */
      schema_version: string;
      /**
       * occurred_at is when it happened, not when it was sent.
       */
      occurred_at: string;
      /**
       * job_id is the producer's key, or the SQS message id where there was none.
       */
      job_id: string;
      /**
       * job_version counts the job's transitions; a later event of a job has a higher one.
       */
      job_version: number;
      /**
       * sample is true in events made by hand to try a consumer.
       */
      sample?: boolean;
      [k: string]: unknown;
    };
    /**
     * data says what happened.
     */
    data: {
      /**
       * code is the kind of refusal. "invalid_message" is a message that does not have the shape of a Request. "job_id_taken" is a message whose job_id is already taken by another payload. "refused_by_vendor" is a prompt that the vendor refused for good. "cancelled" is a job that an operator ended before the vendor accepted it. "internal" is a message that Clipqueue itself failed to handle, time and again.
       */
      code: "invalid_message" | "job_id_taken" | "refused_by_vendor" | "cancelled" | "internal";
      /**
       * field is the field of the message that is wrong, where it is one field.
       */
      field?: string;
      /**
       * message says what is wrong and what to do.
       */
      message: string;
      /**
       * claimed_job_id is the job_id that a refused message asked for; that job, if there is one, is untouched.
       */
      claimed_job_id?: string;
      /**
       * excerpt is the beginning of a message whose metadata could not be read.
       */
      excerpt?: string;
      /**
       * credits is always null: nothing was accepted.
       */
      credits: number | null;
      /**
       * metadata is the caller's own, untouched; an empty object where it could not be read.
       */
      metadata: {
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * Expired says that no verdict came by the deadline, or that an operator waits for one no longer. A verdict of the vendor that comes later still wins and gets an event of its own.
 */
export interface VideoGenerationExpired {
  /**
   * version is EventBridge's own, "0".
   */
  version: string;
  /**
   * id is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
   */
  id: string;
  /**
   * detail-type is the kind of the event, and says what detail.data holds.
   */
  "detail-type": "Video Generation Expired";
  /**
   * source is "clipqueue".
   */
  source: "clipqueue";
  /**
   * account is the AWS account that the bus is in, 12 digits.
   */
  account: string;
  /**
   * time is when it happened, to the second.
   */
  time: string;
  /**
   * region is the AWS region that the bus is in.
   */
  region: string;
  /**
   * resources is empty.
   */
  resources: string[];
  /**
   * detail is what Clipqueue says.
   */
  detail: {
    /**
     * metadata says which event this is, and of which job.
     */
    metadata: {
      /**
       * event_id is the same each time this event is delivered: <job_id>:<created_at>:<version>.
       */
      event_id: string;
      /**
       * schema_version is the version of this shape, "major.minor".
       */
      schema_version: string;
      /**
       * occurred_at is when it happened, not when it was sent.
       */
      occurred_at: string;
      /**
       * job_id is the producer's key, or the SQS message id where there was none.
       */
      job_id: string;
      /**
       * job_version counts the job's transitions; a later event of a job has a higher one.
       */
      job_version: number;
      /**
       * sample is true in events made by hand to try a consumer.
       */
      sample?: boolean;
      [k: string]: unknown;
    };
    /**
     * data says what happened.
     */
    data: {
      /**
       * stage is the state that the job was in.
       */
      stage: string;
      /**
       * message says what is known and what is not.
       */
      message: string;
      /**
       * may_be_charged is true when the vendor has, or may have, accepted the prompt.
       */
      may_be_charged: boolean;
      /**
       * generation_id is the vendor's id of the work, where it is known.
       */
      generation_id?: string;
      /**
       * model is what was asked for.
       */
      model: string;
      /**
       * credits is what the vendor said it charges, where it accepted; else null.
       */
      credits: number | null;
      /**
       * metadata is the caller's own, untouched.
       */
      metadata: {
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * Archived says that the video lies in the bucket.
 */
export interface VideoArchived {
  /**
   * version is EventBridge's own, "0".
   */
  version: string;
  /**
   * id is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
   */
  id: string;
  /**
   * detail-type is the kind of the event, and says what detail.data holds.
   */
  "detail-type": "Video Archived";
  /**
   * source is "clipqueue".
   */
  source: "clipqueue";
  /**
   * account is the AWS account that the bus is in, 12 digits.
   */
  account: string;
  /**
   * time is when it happened, to the second.
   */
  time: string;
  /**
   * region is the AWS region that the bus is in.
   */
  region: string;
  /**
   * resources is empty.
   */
  resources: string[];
  /**
   * detail is what Clipqueue says.
   */
  detail: {
    /**
     * metadata says which event this is, and of which job.
     */
    metadata: {
      /**
       * event_id is the same each time this event is delivered: <job_id>:<created_at>:<version>.
       */
      event_id: string;
      /**
       * schema_version is the version of this shape, "major.minor".
       */
      schema_version: string;
      /**
       * occurred_at is when it happened, not when it was sent.
       */
      occurred_at: string;
      /**
       * job_id is the producer's key, or the SQS message id where there was none.
       */
      job_id: string;
      /**
       * job_version counts the job's transitions; a later event of a job has a higher one.
       */
      job_version: number;
      /**
       * sample is true in events made by hand to try a consumer.
       */
      sample?: boolean;
      [k: string]: unknown;
    };
    /**
     * data says what happened.
     */
    data: {
      /**
       * generation_id is the vendor's id of the work.
       */
      generation_id: string;
      /**
       * bucket is the S3 bucket.
       */
      bucket: string;
      /**
       * key is the object's key in the bucket.
       */
      key: string;
      /**
       * size is the number of bytes.
       */
      size: number;
      /**
       * sha256 is the checksum of the bytes, in lower-case hex.
       */
      sha256: string;
      /**
       * content_type is the video's media type.
       */
      content_type: string;
      /**
       * url is a presigned link to the object, where the setting asks for one.
       */
      url?: string;
      /**
       * url_expires_at is when the link ends.
       */
      url_expires_at?: string;
      /**
       * metadata is the caller's own, untouched.
       */
      metadata: {
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * ArchiveFailed says that the video cannot be had for good.
 */
export interface VideoArchiveFailed {
  /**
   * version is EventBridge's own, "0".
   */
  version: string;
  /**
   * id is EventBridge's own and differs when an event is sent again: use detail.metadata.event_id.
   */
  id: string;
  /**
   * detail-type is the kind of the event, and says what detail.data holds.
   */
  "detail-type": "Video Archive Failed";
  /**
   * source is "clipqueue".
   */
  source: "clipqueue";
  /**
   * account is the AWS account that the bus is in, 12 digits.
   */
  account: string;
  /**
   * time is when it happened, to the second.
   */
  time: string;
  /**
   * region is the AWS region that the bus is in.
   */
  region: string;
  /**
   * resources is empty.
   */
  resources: string[];
  /**
   * detail is what Clipqueue says.
   */
  detail: {
    /**
     * metadata says which event this is, and of which job.
     */
    metadata: {
      /**
       * event_id is the same each time this event is delivered: <job_id>:<created_at>:<version>.
       */
      event_id: string;
      /**
       * schema_version is the version of this shape, "major.minor".
       */
      schema_version: string;
      /**
       * occurred_at is when it happened, not when it was sent.
       */
      occurred_at: string;
      /**
       * job_id is the producer's key, or the SQS message id where there was none.
       */
      job_id: string;
      /**
       * job_version counts the job's transitions; a later event of a job has a higher one.
       */
      job_version: number;
      /**
       * sample is true in events made by hand to try a consumer.
       */
      sample?: boolean;
      [k: string]: unknown;
    };
    /**
     * data says what happened.
     */
    data: {
      /**
       * generation_id is the vendor's id of the work.
       */
      generation_id: string;
      /**
       * code is the kind of problem, such as "not_found" or "forbidden_address".
       */
      code: string;
      /**
       * message says what is wrong.
       */
      message: string;
      /**
       * output_url is the vendor's link, as it was given; null where there was none.
       */
      output_url: string | null;
      /**
       * metadata is the caller's own, untouched.
       */
      metadata: {
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
