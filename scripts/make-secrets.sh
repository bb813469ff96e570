#!/bin/sh
# Makes the secrets of docker-compose.yml in ./secrets. What is there already stays as it is.
set -eu
cd "$(dirname "$0")/.."

# The folder is closed to other users of this machine; the files are open, because each container that is given one
# reads it as a user of its own.
mkdir -p secrets
chmod 700 secrets

keep() {
  if [ -e "secrets/$1" ]; then
    echo "kept  secrets/$1"
  else
    cat >"secrets/.$1.new"
    chmod 444 "secrets/.$1.new"
    mv "secrets/.$1.new" "secrets/$1"
    echo "made  secrets/$1"
  fi
}

random() {
  head -c 32 /dev/urandom | base64 | tr -d '\n'
}

random | tr '+/' '-_' | tr -d '=' | keep database_password
echo "postgres://token_vault:$(cat secrets/database_password)@postgres:5432/token_vault" | keep database_url
echo "k1:$(random)" | keep master_keys
echo "tv_bootstrap_$(random | tr '+/' '-_' | tr -d '=')" | keep bootstrap_key

echo 'Keep a copy of secrets/master_keys elsewhere: without it the stored tokens are lost.'
