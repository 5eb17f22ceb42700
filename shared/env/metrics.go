package env

// The metrics that functions write into their logs in CloudWatch's embedded
// format, and that the stack's alarms and dashboard read. The one dimension is
// the stage.
const (
	// MetricNamespace holds all metrics.
	MetricNamespace = "Clipqueue"

	// MetricSubmitted counts submits that the vendor accepted.
	MetricSubmitted = "Submitted"
	// MetricNotNow counts submits that the vendor put off, or that did not reach it.
	MetricNotNow = "NotNow"
	// MetricAccountRefused counts answers that refuse the account: key, credit or base URL.
	MetricAccountRefused = "AccountRefused"
	// MetricAsked counts questions to the vendor about a generation, by poll and reconcile.
	MetricAsked = "Asked"
	// MetricVendorError counts those questions that got no usable answer.
	MetricVendorError = "VendorError"
	// MetricUnconfirmed counts jobs whose submit has an unknown outcome.
	MetricUnconfirmed = "Unconfirmed"
	// MetricCompleted counts verdicts "completed".
	MetricCompleted = "Completed"
	// MetricFailed counts verdicts "failed".
	MetricFailed = "Failed"
	// MetricRejected counts jobs and messages that were refused for good.
	MetricRejected = "Rejected"
	// MetricExpired counts jobs without a verdict by their deadline.
	MetricExpired = "Expired"
	// MetricCredits sums the vendor's credits of verdicts.
	MetricCredits = "Credits"
	// MetricQuarantined counts signed callbacks that fit no job or contradict one.
	MetricQuarantined = "Quarantined"
	// MetricSignatureFailed counts callbacks without a valid signature.
	MetricSignatureFailed = "SignatureFailed"
	// MetricContradiction counts facts that contradict what is known of a job.
	MetricContradiction = "Contradiction"
	// MetricInternal counts messages given up for a reason of our own.
	MetricInternal = "Internal"
	// MetricOverdue counts jobs that reconcile found overdue.
	MetricOverdue = "Overdue"
	// MetricPoison counts records that cannot be made into an event.
	MetricPoison = "Poison"
	// MetricArchived counts videos copied to the bucket.
	MetricArchived = "Archived"
	// MetricArchiveFailed counts videos that will not be copied.
	MetricArchiveFailed = "ArchiveFailed"

	// MetricQueueTime is the time from a message's arrival to its claim, in milliseconds.
	MetricQueueTime = "QueueTime"
	// MetricVendorTime is the time from the claim, which the POST follows, to the verdict, in milliseconds.
	MetricVendorTime = "VendorTime"
	// MetricTotalTime is the time from a message's arrival to its verdict, in milliseconds.
	MetricTotalTime = "TotalTime"
)
