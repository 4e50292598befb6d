// Package risk decides by rules in the configuration whether a payment may be
// asked for: over amount, count and sum of the day, the card's country, how it
// was read, and the time. A rule is an expression in CEL (github.com/google/cel-spec)
// that says true or false.
//
// It promises that a bad rule is refused when it is loaded, with its name and
// position; that a rule cannot run long or forever; and that a rule which fails
// at run time counts as met: a payment that cannot be judged is not taken. It
// sees masked card numbers only. Nothing is kept here: what was paid today comes
// from the journal.
package risk

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
)

// Outcome of a rule that is met, from the mildest.
type Outcome uint8

// Outcomes. Pass is none.
const (
	Pass    Outcome = iota
	Alarm           // the payment goes on, and operators are told
	Cashier         // not here: at the cashier's desk
	Refuse
)

var outcomeNames = map[string]Outcome{"alarm": Alarm, "cashier": Cashier, "refuse": Refuse}

func (o Outcome) String() string {
	for name, v := range outcomeNames {
		if v == o {
			return name
		}
	}
	return "pass"
}

// Rule is one rule as it is configured.
type Rule struct {
	Name    string
	When    string // CEL, bool
	Outcome string // alarm, cashier or refuse
}

// Payment is what rules see.
type Payment struct {
	Amount     int64  // fen: "amount"
	Count      int64  // approved payments of this bank card today: "count"
	Sum        int64  // fen, of those: "sum"
	LoadCount  int64  // approved payments for this transit card today: "load_count"
	LoadSum    int64  // fen, of those: "load_sum"
	Country    string // of the issuer, ISO 3166 numeric, "" if the card does not say: "country"
	Scheme     string // unionpay, visa, …: "scheme"
	Entry      string // contact or contactless: "entry"
	Hour       int64  // 0 to 23, in the kiosk's zone: "hour"
	Weekday    int64  // 0 Sunday to 6: "weekday"
	CrossesOut bool   // the country is known and is not China: "cross_border"
}

const (
	maxRules  = 100
	maxWhen   = 1000 // characters
	costLimit = 10_000
)

// Set is rules that were understood.
type Set struct{ rules []compiled }

type compiled struct {
	name    string
	outcome Outcome
	program cel.Program
}

// ErrRule is in the chain of every error about a rule.
var ErrRule = errors.New("risk rule")

func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("amount", cel.IntType), cel.Variable("count", cel.IntType), cel.Variable("sum", cel.IntType),
		cel.Variable("load_count", cel.IntType), cel.Variable("load_sum", cel.IntType),
		cel.Variable("country", cel.StringType), cel.Variable("scheme", cel.StringType), cel.Variable("entry", cel.StringType),
		cel.Variable("hour", cel.IntType), cel.Variable("weekday", cel.IntType), cel.Variable("cross_border", cel.BoolType),
	)
}

// Compile checks all rules. The error names the first bad one and where in its
// expression it is bad.
func Compile(rules []Rule) (*Set, error) {
	if len(rules) > maxRules {
		return nil, fmt.Errorf("%w: %d rules are more than %d", ErrRule, len(rules), maxRules)
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRule, err)
	}
	s := &Set{}
	seen := map[string]bool{}
	for _, r := range rules {
		outcome, ok := outcomeNames[r.Outcome]
		switch {
		case r.Name == "" || len(r.Name) > 40 || seen[r.Name]:
			return nil, fmt.Errorf("%w %q: a name has 1 to 40 characters and is used once", ErrRule, r.Name)
		case !ok:
			return nil, fmt.Errorf("%w %q: outcome %q is not alarm, cashier or refuse", ErrRule, r.Name, r.Outcome)
		case len(r.When) > maxWhen:
			return nil, fmt.Errorf("%w %q: longer than %d characters", ErrRule, r.Name, maxWhen)
		}
		seen[r.Name] = true
		program, err := compile(env, r)
		if err != nil {
			return nil, err
		}
		s.rules = append(s.rules, compiled{r.Name, outcome, program})
	}
	return s, nil
}

func compile(env *cel.Env, r Rule) (cel.Program, error) {
	ast, issues := env.Compile(r.When)
	if issues.Err() != nil {
		e := issues.Errors()[0]
		return nil, fmt.Errorf("%w %q: line %d, column %d: %s", ErrRule, r.Name, max(e.Location.Line(), 1), e.Location.Column()+1, firstLine(e.Message))
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("%w %q: line 1, column 1: it gives %s, not true or false", ErrRule, r.Name, ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrRule, r.Name, err)
	}
	return program, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// Verdict is the strictest outcome, and the rules that were met.
type Verdict struct {
	Outcome Outcome
	Rules   []string // names, in the order of the configuration
}

// Judge runs every rule.
func (s *Set) Judge(p Payment) (v Verdict) {
	if s == nil {
		return v
	}
	values := map[string]any{
		"amount": p.Amount, "count": p.Count, "sum": p.Sum, "load_count": p.LoadCount, "load_sum": p.LoadSum,
		"country": p.Country, "scheme": p.Scheme, "entry": p.Entry, "hour": p.Hour, "weekday": p.Weekday, "cross_border": p.CrossesOut,
	}
	for _, r := range s.rules {
		got, _, err := r.program.Eval(values)
		if err == nil && got.Value() == false {
			continue
		}
		v.Rules = append(v.Rules, r.name)
		v.Outcome = max(v.Outcome, r.outcome)
	}
	return v
}

// OutcomeOf is what a rule of that name does; Pass if there is none.
func (s *Set) OutcomeOf(name string) Outcome {
	if s != nil {
		for _, r := range s.rules {
			if r.name == name {
				return r.outcome
			}
		}
	}
	return Pass
}

// Len is how many rules there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.rules)
}

// Shipped is the set that a new configuration begins with: large, frequent and
// cross-border payments. The amounts are in fen.
var Shipped = []Rule{
	{Name: "large", When: "amount > 100000", Outcome: "refuse"},
	{Name: "large-sum", When: "sum + amount > 200000", Outcome: "cashier"},
	{Name: "frequent", When: "count >= 5 || load_count >= 5", Outcome: "cashier"},
	{Name: "cross-border", When: "cross_border && amount > 20000", Outcome: "refuse"},
	{Name: "cross-border-seen", When: "cross_border", Outcome: "alarm"},
	{Name: "at-night", When: "(hour >= 23 || hour < 5) && sum + amount > 50000", Outcome: "alarm"},
}
