package boot

import (
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
)

// sdkLog takes what the SDK has to tell into our log, whose lines are JSON: by
// itself it writes plain text.
func sdkLog(log *slog.Logger) logging.Logger { //nolint:ireturn // as the SDK wants it
	return logging.LoggerFunc(func(kind logging.Classification, format string, v ...any) {
		message := slog.String("message", fmt.Sprintf(format, v...))
		if kind == logging.Debug {
			log.Debug("the AWS SDK", message)
			return
		}
		log.Warn("the AWS SDK", message)
	})
}
