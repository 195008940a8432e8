# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-matrix lint unit sanity artifact build labs scenario drill deadman switchover exclusive benchmark speed soak scale shell clean lock
NAME ?= default
NODE ?= node-a
RUNS ?= 5
MINUTES ?= 10
PAIRS ?= 1,5,25,50
FORKS ?=
export KEEP
# Only as make's own argument: an environment may have an OS of its own.
ifeq ($(origin OS),command line)
export HA_PAIR_LAB_OS := $(OS)
SYSTEM := $(OS)
endif
ifeq ($(origin LANE),command line)
export HA_PAIR_LANE := $(LANE)
endif

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@echo '  KEEP=1 with demo or scenario leaves the lab up; a scenario then takes the one that is there'
	@echo '  OS= with demo, scenario or benchmark, what the hosts run: debian11, debian12 (unless said), debian13, and EL-shaped'
	@echo '      stand-ins el7, el8, el9, el10, rocky9, or the real ones by HA_PAIR_LAB_BASE_IMAGE (see CONTRIBUTING.md)'
	@echo '  LANE=2.16-py3.12 with demo, scenario, unit or sanity: that ansible-core on that Python, in .cache/lanes'

setup: ## make .venv as requirements/*.txt lock it (all other targets do it themselves)
	@tools/setup.sh

demo: setup ## deploy a pair in a lab and drill four faults under a client
	@tools/demo.sh

test: setup ## everything but the matrix: lint, unit, artifact, sanity, labs, scenarios
	@tools/test.sh

test-all: setup ## make test, and the scenarios of Tomcat, storage, sessions and releases: two hours
	@tools/test.sh all

test-matrix: ## operating systems x ansible-core x Python, two hours; ROWS=3,5,drill or OS=el8
	@HA_PAIR_LANE= tools/setup.sh
	@tools/test_matrix.sh '$(ROWS)' '$(SYSTEM)'

lint: setup ## yamllint, ruff, mypy, antsibull-changelog, ansible-lint
	@tools/lint.sh

unit: setup ## unit tests, the target side also on Python 2.7, 3.6 and 3.13
	@tools/unit.sh

sanity: setup ## ansible-test sanity on the built artifact
	@tools/sanity.sh

artifact: setup ## build, install, and call the playbooks from wherever they may be called
	@tools/artifact.sh test

build: setup ## build the collection's archive in build/
	@tools/artifact.sh build

labs: setup ## two labs side by side, and what a lab refuses
	@tools/lab_test.sh

scenario: setup ## one Molecule scenario, for example NAME=failover OS=debian13
	@tools/scenario.sh '$(NAME)'

drill: setup ## a drill of all faults, its figures checked by tcpdump, 12 minutes; FAULTS=link_down,vrrp_block
	@tools/benchmark.sh drill '$(FAULTS)'

deadman: setup ## kill a drill in the middle of each fault and see the pair restored, 20 minutes
	@tools/benchmark.sh deadman

switchover: setup ## planned switchovers under a client, 6 minutes; RUNS=20
	@tools/benchmark.sh switchover '$(RUNS)'

# RUNS is that of the benchmarks unless it is said.
exclusive: setup ## a random sequence of 50 faults on an active/standby Java service, checked by the program's own evidence; RUNS=50
	@tools/benchmark.sh exclusive '$(if $(filter file,$(origin RUNS)),50,$(RUNS))' '$(SEED)' '$(ARBITER)'

benchmark: setup ## outages beside a plain pair, 40 minutes; RUNS=1, FAULT="link down"
	@tools/benchmark.sh failover '$(RUNS)' '$(FAULT)'

speed: setup ## a second run of site.yml beside a plain play, 10 minutes; RUNS=3
	@tools/benchmark.sh deploy '$(RUNS)'

soak: setup ## four pairs on a busy machine, 15 minutes; MINUTES=10
	@tools/benchmark.sh soak '$(MINUTES)'

scale: setup ## what status and site.yml --check cost the controller with many pairs, 15 minutes; PAIRS=1,5,25,50 FORKS=4
	@tools/benchmark.sh scale '$(PAIRS)' '$(FORKS)'

shell: ## a shell on a host of the lab that is up, NODE=node-a, node-b or observer
	@tools/lab.sh shell '$(NODE)'

clean: ## remove the lab, its images, .venv and caches; stop the engine if it was started here
	@tools/clean.sh

lock: setup ## write requirements/*.txt anew from requirements/*.in
	@tools/lock.sh
