// Package prometheus holds the alerts for Longwave, and the test that they and the
// dashboard of infra/grafana name only figures that the program publishes.
//
// This package does not hold code.
package prometheus
