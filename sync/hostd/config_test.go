package main

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	if _, err := parseConfig(example); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		`listen = `: `lisen = `, `bdk = ""`: `bdk = "12"`, `"1000.00"`: `"much"`, `"change-me-please-0001"`: `""`,
	} {
		text := strings.Replace(string(example), from, to, 1)
		if _, err := parseConfig([]byte(text)); err == nil {
			t.Errorf("%s was accepted", to)
		}
	}
}
