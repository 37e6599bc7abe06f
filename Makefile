# The commands of the house. `make demo` and `make test` also install what is missing (see scripts/bootstrap).
#
#   make                the release build: build/lifeboat
#   make demo           loses a region of the reference platform on this machine and recovers it, before your eyes
#   make test           builds, and runs every test
#   make recovery       the recovery drills, all of them; REPEAT=5 runs each five times
#   make bench          benchmarks
#   make format, tidy   clang-format over all sources; clang-tidy over the release build
#   make docs           writes the generated pages anew
#   make clean          removes build/

REPEAT ?= 1

.PHONY: build demo test recovery bench format format-check tidy docs clean
.DEFAULT_GOAL := build

build:
	@scripts/bootstrap
	@scripts/build release

demo:
	@scripts/demo

test:
	@scripts/test

recovery:
	@scripts/bootstrap
	@scripts/build release
	@scripts/recovery-tests --repeat $(REPEAT)

bench:
	@scripts/bootstrap
	@scripts/build release
	@scripts/bench

format:
	@find src examples integration bench -name '*.hpp' -o -name '*.cpp' | xargs clang-format-19 -i

format-check:
	@find src examples integration bench -name '*.hpp' -o -name '*.cpp' | xargs clang-format-19 --dry-run -Werror

tidy:
	@scripts/bootstrap
	@scripts/tidy

docs: build
	@build/lifeboat explain --markdown > docs/actions.md.new && mv docs/actions.md.new docs/actions.md

clean:
	@rm -rf build
