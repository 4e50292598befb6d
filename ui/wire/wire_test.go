package wire

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	in, err := Decode([]byte(`{"sale":"S1","rev":7,"do":"choose","value":"5000"}`))
	if err != nil || in.Sale != "S1" || in.Rev != 7 || in.Do != "choose" || in.Value != "5000" {
		t.Fatalf("%+v, %v", in, err)
	}
	in, err = Decode([]byte(`{"rev":0,"do":"tap","args":{"card":"红","reader":"transit"}}`))
	if err != nil || in.Args["card"] != "红" {
		t.Fatalf("%+v, %v", in, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	many := `{"do":"x","args":{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":""}}`
	for name, text := range map[string]string{
		"empty":          "",
		"not JSON":       "choose 50",
		"no verb":        `{"rev":1}`,
		"negative rev":   `{"rev":-1,"do":"ok"}`,
		"huge rev":       `{"rev":18446744073709551616,"do":"ok"}`,
		"unknown field":  `{"do":"ok","admin":true}`,
		"two objects":    `{"do":"ok"}{"do":"ok"}`,
		"trailing":       `{"do":"ok"} x`,
		"long text":      `{"do":"` + strings.Repeat("a", MaxText+1) + `"}`,
		"too long":       `{"do":"ok"` + strings.Repeat(" ", MaxInput) + `}`,
		"many arguments": many,
		"control":        `{"do":"ok","value":"a\nb"}`,
		"wrong type":     `{"do":5}`,
		"array":          `["ok"]`,
		"null":           `null`,
		"deep":           strings.Repeat(`{"args":`, 200),
		"bad UTF-8":      "{\"do\":\"\xff\"}",
	} {
		if in, err := Decode([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, in, err)
		}
	}
}

func FuzzInput(f *testing.F) {
	f.Add([]byte(`{"sale":"S1","rev":7,"do":"choose","value":"5000"}`))
	f.Add([]byte(`{"rev":0,"do":"key","args":{"key":"enter"}}`))
	f.Add([]byte(`{"do":"ok"}{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("an error without a type: %v", err)
			}
			return
		}
		again, err := Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if len(again) > MaxInput { // escapes may lengthen a text
			return
		}
		if err != nil || back.Sale != in.Sale || back.Rev != in.Rev || back.Do != in.Do ||
			back.Value != in.Value || !maps.Equal(back.Args, in.Args) {
			t.Fatalf("%q became %+v, then %+v (%v)", data, in, back, err)
		}
		if bytes.ContainsRune([]byte(in.Value), 0) {
			t.Fatal("a zero byte got through")
		}
	})
}
