package main

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// terraform makes the calls of Terraform's AWS provider for the resources aws_kms_key and
// aws_kms_alias, in the provider's order and with its members. Any error ends an apply.
type terraform struct {
	*testing.T
	*kms.Client
}

func newTerraform(t *testing.T) terraform {
	t.Helper()
	settings, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Without retries, which could hide a fault of the daemon.
	return terraform{t, kms.NewFromConfig(settings, func(o *kms.Options) { o.RetryMaxAttempts = 1 })}
}

// must ends the test at an error, as the provider ends an apply.
func must[T any](answer T, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

// key has the data that the provider reads for a key. A change between two reads is a difference in
// the next plan.
type key struct {
	metadata types.KeyMetadata
	policy   string
	rotates  bool
	period   *int32
	tags     map[string]string
}

// readKey reads a key as a refresh does. For the provider, a key that is pending deletion does not
// exist.
func (tf terraform) readKey(id string) (key, bool) {
	tf.Helper()
	metadata := must(tf.DescribeKey(tf.Context(), &kms.DescribeKeyInput{KeyId: &id})).KeyMetadata
	if metadata.KeyState == types.KeyStatePendingDeletion {
		return key{}, false
	}
	policy := must(tf.GetKeyPolicy(tf.Context(),
		&kms.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default")}))
	if metadata.Origin != types.OriginTypeAwsKms { // For another origin, the provider does not read the rotation.
		tf.Fatalf("the origin is %s", metadata.Origin)
	}
	rotation := must(tf.GetKeyRotationStatus(tf.Context(),
		&kms.GetKeyRotationStatusInput{KeyId: &id}))
	return key{
		metadata: *metadata,
		policy:   aws.ToString(policy.Policy),
		rotates:  rotation.KeyRotationEnabled,
		period:   rotation.RotationPeriodInDays,
		tags:     tf.readTags(id),
	}, true
}

func (tf terraform) readTags(id string) map[string]string {
	tf.Helper()
	tags := map[string]string{}
	pages := kms.NewListResourceTagsPaginator(tf.Client, &kms.ListResourceTagsInput{KeyId: &id})
	for pages.HasMorePages() {
		for _, tag := range must(pages.NextPage(tf.Context())).Tags {
			tags[aws.ToString(tag.TagKey)] = aws.ToString(tag.TagValue)
		}
	}
	return tags
}

// plan refreshes as often as the provider does after a change, and requires equal answers.
func (tf terraform) plan(id string) key {
	tf.Helper()
	first, found := tf.readKey(id)
	if !found {
		tf.Fatal("the key is pending deletion")
	}
	for range 4 {
		if again, _ := tf.readKey(id); !reflect.DeepEqual(first, again) {
			tf.Fatalf("two reads differ: %+v, %+v", first, again)
		}
	}
	return first
}

func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for name, value := range tags {
		list = append(list, types.Tag{TagKey: &name, TagValue: &value})
	}
	return list
}

func (tf terraform) createKey(description string, tags map[string]string, enabled bool) key {
	tf.Helper()
	created := must(tf.CreateKey(tf.Context(), &kms.CreateKeyInput{
		BypassPolicyLockoutSafetyCheck: false,
		KeySpec:                        types.KeySpecHmac256,
		KeyUsage:                       types.KeyUsageTypeGenerateVerifyMac,
		Description:                    &description,
		MultiRegion:                    aws.Bool(false),
		Tags:                           tagList(tags),
	}))
	id := aws.ToString(created.KeyMetadata.KeyId)
	if !enabled {
		tf.setEnabled(id, false)
	}
	read := tf.plan(id)
	made := *created.KeyMetadata
	made.Enabled, made.KeyState = read.metadata.Enabled, read.metadata.KeyState
	if !reflect.DeepEqual(made, read.metadata) {
		tf.Fatalf("created as %+v, but read as %+v", made, read.metadata)
	}
	if !reflect.DeepEqual(tags, read.tags) || read.metadata.Enabled != enabled {
		tf.Fatalf("requested %v, %v, but read %+v", tags, enabled, read)
	}
	return read
}

// setEnabled changes is_enabled, and waits until reads have the new value.
func (tf terraform) setEnabled(id string, enabled bool) {
	tf.Helper()
	if enabled {
		must(tf.EnableKey(tf.Context(), &kms.EnableKeyInput{KeyId: &id}))
	} else {
		must(tf.DisableKey(tf.Context(), &kms.DisableKeyInput{KeyId: &id}))
	}
	for range 15 {
		if read, _ := tf.readKey(id); read.metadata.Enabled != enabled {
			tf.Fatalf("is_enabled is still %v", !enabled)
		}
	}
}

// change changes all members that can change without a new key.
func (tf terraform) change(
	before key, description string, tags map[string]string, enabled bool,
) key {
	tf.Helper()
	id := aws.ToString(before.metadata.KeyId)
	if enabled && !before.metadata.Enabled {
		tf.setEnabled(id, true)
	}
	must(tf.UpdateKeyDescription(tf.Context(),
		&kms.UpdateKeyDescriptionInput{KeyId: &id, Description: &description}))
	var removed []string
	for name := range before.tags {
		if _, kept := tags[name]; !kept {
			removed = append(removed, name)
		}
	}
	if len(removed) > 0 {
		must(tf.UntagResource(tf.Context(),
			&kms.UntagResourceInput{KeyId: &id, TagKeys: removed}))
	}
	if len(tags) > 0 {
		must(tf.TagResource(tf.Context(),
			&kms.TagResourceInput{KeyId: &id, Tags: tagList(tags)}))
	}
	if !enabled && before.metadata.Enabled {
		tf.setEnabled(id, false)
	}
	after := tf.plan(id)
	wanted := before.metadata
	wanted.Description, wanted.Enabled, wanted.KeyState = &description, enabled, types.KeyStateEnabled
	if !enabled {
		wanted.KeyState = types.KeyStateDisabled
	}
	if !reflect.DeepEqual(wanted, after.metadata) || !reflect.DeepEqual(tags, after.tags) {
		tf.Fatalf("want %+v with %v, but read %+v", wanted, tags, after)
	}
	if before.policy != after.policy || after.rotates || after.period != nil {
		tf.Fatalf("an unchanged member differs: %+v", after)
	}
	return after
}

// destroyKey schedules the deletion, and waits until reads do not find the key. A key that is
// already pending deletion is not an error.
func (tf terraform) destroyKey(id string) {
	tf.Helper()
	_, err := tf.ScheduleKeyDeletion(tf.Context(),
		&kms.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)})
	var state *types.KMSInvalidStateException
	if errors.As(err, &state) && strings.Contains(state.ErrorMessage(), "is pending deletion") {
		err = nil
	}
	if err != nil {
		tf.Fatal(err)
	}
	if _, found := tf.readKey(id); found {
		tf.Fatal("the key still exists")
	}
}

// readAlias reads all aliases, as the provider does.
func (tf terraform) readAlias(name string) (types.AliasListEntry, bool) {
	tf.Helper()
	pages := kms.NewListAliasesPaginator(tf.Client, &kms.ListAliasesInput{})
	for pages.HasMorePages() {
		for _, alias := range must(pages.NextPage(tf.Context())).Aliases {
			if aws.ToString(alias.AliasName) == name {
				return alias, true
			}
		}
	}
	return types.AliasListEntry{}, false
}

func (tf terraform) planAlias(name, target string) {
	tf.Helper()
	first, found := tf.readAlias(name)
	again, _ := tf.readAlias(name)
	if !found || aws.ToString(first.TargetKeyId) != target || !reflect.DeepEqual(first, again) {
		tf.Fatalf("want an alias of %s, but read %+v, %+v", target, first, again)
	}
	if !strings.HasSuffix(aws.ToString(first.AliasArn), ":"+name) {
		tf.Fatalf("the ARN of %s is %s", name, aws.ToString(first.AliasArn))
	}
}

func TestTerraformCreatesChangesAndDestroysAKeyAndItsAlias(t *testing.T) {
	tf := newTerraform(t)
	tags := map[string]string{"Name": "orders", "team": "payments", "empty": ""}
	made := tf.createKey("made by Terraform", tags, true)
	id := aws.ToString(made.metadata.KeyId)
	if made.rotates || made.period != nil {
		t.Fatalf("a MAC key that rotates: %+v", made)
	}
	expectDefaultPolicy(t, made)

	name := "alias/terraform-" + id
	must(tf.CreateAlias(t.Context(),
		&kms.CreateAliasInput{AliasName: &name, TargetKeyId: &id}))
	tf.planAlias(name, id)
	if !reflect.DeepEqual(made, tf.plan(id)) {
		t.Fatal("an alias changed its key")
	}

	others := map[string]string{"Name": "invoices", "cost": "4711"}
	changed := tf.change(made, "changed by Terraform", others, false)
	changed = tf.change(changed, "", map[string]string{"Name": "invoices"}, true)

	other := tf.createKey("the next key of the alias", map[string]string{}, true)
	otherID := aws.ToString(other.metadata.KeyId)
	must(tf.UpdateAlias(t.Context(),
		&kms.UpdateAliasInput{AliasName: &name, TargetKeyId: &otherID}))
	tf.planAlias(name, otherID)
	if !reflect.DeepEqual(changed, tf.plan(id)) {
		t.Fatal("the removal of an alias changed its key")
	}

	must(tf.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: &name}))
	if _, found := tf.readAlias(name); found {
		t.Fatal("the alias still exists")
	}
	for _, key := range []string{id, otherID, id} {
		tf.destroyKey(key)
	}
}

func TestTerraformCreatesADisabledKey(t *testing.T) {
	tf := newTerraform(t)
	made := tf.createKey("", map[string]string{"Name": "spare"}, false)
	tf.destroyKey(aws.ToString(made.metadata.KeyId))
}

// The daemon refuses a policy before it creates the key, because the policy would have no effect.
func TestPolicyIsRefusedForTerraform(t *testing.T) {
	tf := newTerraform(t)
	made := tf.createKey("", map[string]string{}, true)
	id := aws.ToString(made.metadata.KeyId)
	_, ofCreate := tf.CreateKey(t.Context(), &kms.CreateKeyInput{
		KeySpec:  types.KeySpecHmac256,
		KeyUsage: types.KeyUsageTypeGenerateVerifyMac,
		Policy:   &made.policy,
	})
	_, ofPut := tf.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &id, Policy: &made.policy})
	for _, err := range []error{ofCreate, ofPut} {
		var unsupported *types.UnsupportedOperationException
		if !errors.As(err, &unsupported) {
			t.Errorf("want UnsupportedOperationException, got %v", err)
		}
	}
	tf.destroyKey(id)
}

func expectDefaultPolicy(t *testing.T, made key) {
	t.Helper()
	var policy struct {
		Version, ID string
		Statement   []struct {
			Sid, Effect, Action, Resource string
			Principal                     map[string]string
		}
	}
	if err := json.Unmarshal([]byte(made.policy), &policy); err != nil {
		t.Fatal(err)
	}
	root := "arn:aws:iam::" + aws.ToString(made.metadata.AWSAccountId) + ":root"
	if len(policy.Statement) != 1 {
		t.Fatalf("not the default policy: %s", made.policy)
	}
	statement := policy.Statement[0]
	found := []string{
		policy.Version, policy.ID, statement.Effect, statement.Principal["AWS"], statement.Action,
	}
	if !slices.Equal(found, []string{"2012-10-17", "key-default-1", "Allow", root, "kms:*"}) {
		t.Fatalf("not the default policy: %s", made.policy)
	}
}
