package fake

import (
	"errors"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
)

const controlPath = "/_fake/"

// control returns the control surface, which is kept apart from the vendor's own paths and needs
// no key.
func (v *Vendor) control() *http.ServeMux {
	mux := http.NewServeMux()
	route := func(pattern string, handle func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			result, err := handle(r)
			reply(w, result, err)
		})
	}
	route("GET "+controlPath+"ledger", v.controlLedger)
	route("GET "+controlPath+"generations", func(*http.Request) (any, error) { return v.Ledger().Generations, nil })
	route("GET "+controlPath+"generations/{id}", v.controlGeneration)
	route("POST "+controlPath+"generations/{id}/finish", v.controlFinish)
	route("GET "+controlPath+"directives", controlDirectives)
	route("GET "+controlPath+"faults", func(*http.Request) (any, error) { return v.Faults(), nil })
	route("POST "+controlPath+"faults", v.controlAddFaults)
	route("DELETE "+controlPath+"faults", func(*http.Request) (any, error) { v.ClearFaults(); return v.Faults(), nil })
	route("POST "+controlPath+"keys", v.controlKeys)
	route("POST "+controlPath+"callbacks/{id}", v.controlCallback)
	return mux
}

// reply answers with a result, or with what was wrong.
func reply(w http.ResponseWriter, result any, err error) {
	if err != nil {
		problem := asRefusal(err)
		refuse(w, problem.status, problem.code, problem.message)
		return
	}
	text, err := json.Marshal(result)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	answer(w, http.StatusOK, jsonType, text)
}

// read decodes a control request; an empty body leaves into as it is.
func read(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSubmission))
	if err != nil {
		return &refusal{http.StatusBadRequest, "unreadable", err.Error()}
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, into, json.RejectUnknownMembers(true)); err != nil {
		return &refusal{http.StatusBadRequest, "invalid_json", err.Error()}
	}
	return nil
}

func (v *Vendor) controlLedger(*http.Request) (any, error) {
	l := v.Ledger()
	return struct {
		Ledger    `json:",embed"`
		Credits   int64                   `json:"credits"`
		PaidTwice map[string][]Generation `json:"paid_twice"`
	}{l, l.Credits(), l.PaidTwice()}, nil
}

func (v *Vendor) controlGeneration(r *http.Request) (any, error) {
	id := r.PathValue("id")
	l := v.Ledger()
	found := struct {
		Generations []Generation `json:"generations"`
		Attempts    []Attempt    `json:"attempts"`
	}{}
	for _, g := range l.Generations {
		if g.ID == id {
			found.Generations = append(found.Generations, g)
		}
	}
	for _, a := range l.Attempts {
		if a.GenerationID == id {
			found.Attempts = append(found.Attempts, a)
		}
	}
	if len(found.Generations) == 0 {
		return nil, &refusal{http.StatusNotFound, "not_found", "there is no generation " + id}
	}
	return found, nil
}

func (v *Vendor) controlFinish(r *http.Request) (any, error) {
	if !v.Finish(r.PathValue("id")) {
		return nil, &refusal{http.StatusConflict, "not_running", "there is no generation with that id that has not ended"}
	}
	return v.controlGeneration(r)
}

func controlDirectives(*http.Request) (any, error) {
	return struct {
		Directives []Directive `json:"directives"`
		Common     []Argument  `json:"common_arguments"`
	}{Directives(), CommonArguments()}, nil
}

func (v *Vendor) controlAddFaults(r *http.Request) (any, error) {
	var request struct {
		Faults []string `json:"faults"`
	}
	if err := read(r, &request); err != nil {
		return nil, err
	}
	if err := v.AddFaults(request.Faults...); err != nil {
		return nil, &refusal{http.StatusBadRequest, "fault_not_understood", err.Error()}
	}
	return v.Faults(), nil
}

func (v *Vendor) controlKeys(r *http.Request) (any, error) {
	var request struct {
		Current  string `json:"current"`
		Previous string `json:"previous"`
	}
	if err := read(r, &request); err != nil {
		return nil, err
	}
	if request.Current == "" {
		return nil, &refusal{http.StatusBadRequest, "invalid_request", "current is missing: an account has a key"}
	}
	v.SetKeys(request.Current, request.Previous)
	return struct{}{}, nil
}

func (v *Vendor) controlCallback(r *http.Request) (any, error) {
	var how Resend
	if err := read(r, &how); err != nil {
		return nil, err
	}
	if err := (Argument{Kind: "|" + signings}).check(how.Sign); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_request", "signature: " + err.Error()}
	}
	a, err := v.Resend(r.PathValue("id"), how)
	switch {
	case errors.Is(err, ErrNoCallback):
		return nil, &refusal{http.StatusNotFound, "no_callback", err.Error()}
	case errors.Is(err, ErrSent):
		return nil, &refusal{http.StatusConflict, "already_sent", err.Error()}
	}
	return a, err
}
