#!/bin/sh
# The queue on btrfs that loses power; powercut.sh says how.
. "${0%/*}/powercut.sh"
cut_power btrfs 128 ,commit=300 '' mkfs.btrfs -q -m single
