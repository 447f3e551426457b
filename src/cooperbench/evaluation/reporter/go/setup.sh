# Read before the runner: makes `go test` compile our reporter into the package `testing`, and run test programs by run.sh.
# Nothing in Go's own folder changes: `-overlay` shows other files to the compiler. They have the names of files that are there,
# for `go vet` reads those.
reporter_go() {
    command -v go >/dev/null || return 0
    source=$(go env GOROOT)/src/testing
    imports=$(sed -n '/^import /p' "$reporter/go/reporter.go" | tr '\n' ';')
    sed -e "s|^package testing\$|&; $imports|" \
        -e 's/^func (t \*T) report() {/& cooperbenchReport(\&t.common);/' \
        -e 's/^func tRunner(t \*T, fn func(t \*T)) {/& cooperbenchStart(\&t.common, fn);/' \
        -e 's/^func shouldFailFast() bool {/& return false;/' \
        -e 's/^func (m \*M) after() {/& cooperbenchEnd();/' "$source/testing.go" >"$reporter/go/testing.go" || return 0
    [ "$(grep -c cooperbench "$reporter/go/testing.go")" = 3 ] || return 0
    sed '1,/^type /{/^type /!d}' "$reporter/go/reporter.go" >>"$reporter/go/testing.go"
    sed 's/^func (eg \*InternalExample) processRunResult(/func (eg *InternalExample) cooperbenchResult(/' \
        "$source/example.go" >"$reporter/go/example.go" || return 0
    files="\"$source/testing.go\": \"$reporter/go/testing.go\", \"$source/example.go\": \"$reporter/go/example.go\""
    if [ -f "$source/fuzz.go" ]; then
        sed -e 's/^func (f \*F) report() {/& cooperbenchReport(\&f.common);/' \
            -e 's/^func fRunner(f \*F, fn func(\*F)) {/& cooperbenchStart(\&f.common, fn);/' \
            "$source/fuzz.go" >"$reporter/go/fuzz.go" || return 0
        files="$files, \"$source/fuzz.go\": \"$reporter/go/fuzz.go\""
    fi
    echo "{\"Replace\": {$files}}" >"$reporter/go/overlay.json"
    chmod +x "$reporter/go/run.sh" "$reporter/go/bin/go"
    export PATH="$reporter/go/bin:$PATH"
    export GOFLAGS="${GOFLAGS:+$GOFLAGS }-overlay=$reporter/go/overlay.json -exec=$reporter/go/run.sh -count=1"
}
reporter_go
