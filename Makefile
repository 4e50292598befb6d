# Buka. Each target installs what it lacks (Debian, apt) and says so; it needs
# nothing but Go, make and a C compiler beforehand.

SHELL := /bin/bash
ADDR ?= 127.0.0.1:8080
DATA ?= data

# Debian packages: to build, to run the demo on the real reader stack, to test.
BUILD_DEPS := libpcsclite-dev pkg-config
TEST_DEPS := pcscd vsmartcard-vpcd python3-pyscard opensc pcsc-tools chromium fonts-noto-cjk tshark fuse3 openssl

.PHONY: build run test bench explore torture torture-disk torture-day deps-build deps clean
.NOTPARALLEL:

define install
	@missing=; for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing with apt:$$missing"; \
		run=; if [ "$$(id -u)" != 0 ]; then run=sudo; fi; \
		$$run apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
			{ echo "apt could not install:$$missing"; exit 1; }; \
	fi
endef

deps-build:
	$(call install,$(BUILD_DEPS))

deps: deps-build
	$(call install,$(TEST_DEPS))

build: deps-build
	go build -ldflags "-X main.revision=$$(git rev-parse --short=12 HEAD 2>/dev/null)" -o bin/kiosk ./kiosk
	go build -o bin/host ./sync/hostd

# Starts the demo and prints the addresses of its pages.
run: build
	./bin/kiosk demo --addr $(ADDR) --data $(DATA)

# Everything that must hold. The last line is "N passed, M failed".
test: deps
	go run ./internal/check

# The figures of DESIGN §7 as ratios to a floor measured in the same run.
bench: deps
	go run ./internal/bench

clean:
	rm -rf bin

# Every state of core, card, host and fault, to the bounds of the law's promise,
# then every kind of card, the desk and the wider faults, and at last as many
# states as fit beyond. Half an hour of one core, 8 GB.
EXPLORE = nice -n 15 ./bin/kiosk explore
explore: build
	for v in 0 1 2 3 4 5 6 7; do $(EXPLORE) --cards 1 --sales 1 --faults 2 --variety $$v || exit 1; done
	$(EXPLORE) --cards 2 --sales 2 --faults 2
	$(EXPLORE) --cards 1 --sales 2 --faults 3
	$(EXPLORE) --cards 1 --sales 1 --faults 2 --settles 1
	$(EXPLORE) --cards 1 --sales 2 --faults 1 --settles 1
	$(EXPLORE) --cards 1 --sales 1 --faults 2 --wide
	$(EXPLORE) --cards 2 --sales 1 --faults 1 --desk
	for s in 1 2 3; do $(EXPLORE) --cards 2 --sales 3 --faults 3 --desk --wide --variety 99 --states 500000 --seed $$s || exit 1; done

# A million sales with all faults, for each of ten seeds.
torture: build
	for seed in 1 2 3 4 5 6 7 8 9 10; do ./bin/kiosk torture --sales 1000000 --seed $$seed || exit 1; done

# 2,000 power cuts and every fault of the disk below the real journal, sales over
# disks that fail, and 500 kills of the real kiosk in the middle of real top-ups.
torture-disk: deps
	go test -count=1 -v -timeout 60m ./store/disktest -args -long -cuts 2000 -sales 5000
	go test -count=1 -v -timeout 60m ./kiosk/killtest -args -kills 500

# A day of 5,000 sales at random outcomes with the switch link cut 200 times, batches
# closed in between: in the end kiosk, host, bank and cards count the same.
torture-day: deps-build
	go test -count=1 -v -timeout 3h ./kiosk/faultmatrix -run TestDay -args -sales 5000 -cuts 200
